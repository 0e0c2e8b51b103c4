// How the walk's kernels divide float32 images among blocks: every image into parts of the same size, a block a part,
// and within it the same elements to the same thread wherever the image lies. May use launch.cuh.
#pragma once

#include <cstdint>

#include "kernels/launch.cuh"

namespace blindspot::kernels {

constexpr int part_threads = 256;
/// Packs of four float32 a thread, `part_threads` packs apart: some accesses are on the way before the first is needed.
constexpr int part_packs = 2;
constexpr int part_elements = part_threads * part_packs * Pack<float>::size;

/// Parts of an image of `count` elements.
inline std::int64_t parts_of(std::int64_t count) {
  return (count + part_elements - 1) / part_elements;
}

/// The images of a launch: `count` elements each, `parts` parts each; `aligned`: every image of every array begins at a
/// multiple of 16 bytes.
struct ImageParts {
  std::int64_t count;
  unsigned parts;
  bool aligned;

  /// The image of this block.
  __device__ std::int64_t image() const { return blockIdx.x / parts; }
  /// First element, within its image, of this thread's pack number `number` (0 … part_packs − 1).
  __device__ std::int64_t start(int number) const {
    const std::int64_t part = blockIdx.x % parts;
    return part * part_elements + (number * part_threads + static_cast<int>(threadIdx.x)) * Pack<float>::size;
  }
  /// Elements `start` … `start` + 3 of an image; zero from its end on.
  __device__ Pack<float> load(const float* image, std::int64_t start) const {
    if (aligned && start + Pack<float>::size <= count) return *accessed_as<const Pack<float>>(image + start);
    Pack<float> pack;
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) pack.values[i] = start + i < count ? image[start + i] : 0.0F;
    return pack;
  }
  __device__ void store(const Pack<float>& pack, float* image, std::int64_t start) const {
    if (aligned && start + Pack<float>::size <= count) {
      *accessed_as<Pack<float>>(image + start) = pack;
      return;
    }
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) {
      if (start + i < count) image[start + i] = pack.values[i];
    }
  }
};

/// Whether packs of 16 bytes may be read at every image of an array. Null counts as aligned.
inline bool images_on_packs(const float* array, std::int64_t count) {
  return reinterpret_cast<std::uintptr_t>(array) % 16 == 0 && count % Pack<float>::size == 0;
}

/// Launches `kernel`(parts, arguments...), a block for each part of each image; nothing at all for no image.
template <class... Parameters, class... Arguments>
cudaError_t launch_parts(void (*kernel)(ImageParts, Parameters...), std::int64_t images, std::int64_t count,
                         bool aligned, cudaStream_t stream, Arguments... arguments) {
  const std::int64_t parts = parts_of(count);
  if (images == 0 || parts == 0) return cudaSuccess;
  if (parts > INT32_MAX || images > INT32_MAX / parts) return cudaErrorInvalidValue;
  const ImageParts division = {count, static_cast<unsigned>(parts), aligned};
  return launch(kernel, dim3(static_cast<unsigned>(images * parts)), dim3(part_threads), 0, stream, division,
                arguments...);
}

}  // namespace blindspot::kernels
