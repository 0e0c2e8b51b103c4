// How kernels on channels-last images split their work: blockIdx.x is a row of an image, of all images in turn, and the
// threads of all blocks of that row (blockIdx.y) share its items: groups of `width` neighbouring channels of a pixel,
// or single elements where a group does not fit. So a thread finds its place with 32-bit divisions. May use launch.cuh.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/launch.cuh"

namespace blindspot::kernels {

/// `width` neighbouring elements, accessed at once.
template <class T, int width>
struct alignas(width * sizeof(T)) Group {
  T values[width];
};

/// Elements of a 16-byte group.
template <class T>
constexpr int full_group = 16 / static_cast<int>(sizeof(T));

template <class T, int width>
__device__ Group<T, width> load_group(const T* from) {
  return *accessed_as<const Group<T, width>>(from);
}

template <int width, class T>
__device__ void store_group(const float (&values)[width], T* to) {
  Group<T, width> group;
#pragma unroll
  for (int i = 0; i < width; ++i) group.values[i] = from_float<T>(values[i]);
  *accessed_as<Group<T, width>>(to) = group;
}

/// Bits of the `width` elements from `first` on, a multiple of width; all set without a mask.
template <int width>
__device__ std::uint32_t group_bits(const std::uint8_t* mask, std::int64_t first) {
  static_assert(width <= 8 && 8 % width == 0, "a group's bits lie in one byte");
  return mask == nullptr ? 0xffU : static_cast<std::uint32_t>(mask[first / 8]) >> (first % 8);
}

/// Calls body(item) for the thread's items of its row.
template <class Body>
__device__ void for_items(std::uint32_t items, const Body& body) {
  for (std::uint32_t item = blockIdx.y * blockDim.x + threadIdx.x; item < items; item += gridDim.y * blockDim.x) {
    body(item);
  }
}

/// Calls run(width) with width a std::integral_constant: 16 bytes of T where groups divide `size` elements and begin at
/// multiples of 16 bytes, else one element.
template <class T, class Run>
cudaError_t with_group(std::int64_t size, bool aligned, const Run& run) {
  if (aligned && size % full_group<T> == 0) return run(std::integral_constant<int, full_group<T>>{});
  return run(std::integral_constant<int, 1>{});
}

/// Null counts as aligned.
inline bool on_groups(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

/// A kernel over `rows` rows of `items` items; nothing at all for none.
template <class... Parameters, class... Arguments>
cudaError_t launch_rows(void (*kernel)(Parameters...), std::int64_t rows, std::int64_t items, cudaStream_t stream,
                        Arguments... arguments) {
  constexpr std::int64_t most_threads = 256;
  constexpr std::int64_t most_blocks = 65535;  // what a grid's y holds
  if (rows == 0 || items == 0) return cudaSuccess;
  if (rows > INT32_MAX || items > INT32_MAX) return cudaErrorInvalidValue;
  const std::int64_t blocks = std::min((items + most_threads - 1) / most_threads, most_blocks);
  const std::int64_t each = std::min((items + blocks - 1) / blocks, most_threads);
  const std::int64_t threads = (each + 31) / 32 * 32;
  return launch(kernel, dim3(static_cast<unsigned>(rows), static_cast<unsigned>(blocks)),
                dim3(static_cast<unsigned>(threads)), 0, stream, arguments...);
}

}  // namespace blindspot::kernels
