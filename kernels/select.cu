// accepted[b] = p0[b] − p[b] < δ (float32 in, bytes out, [B]); to[b] ← accepted[b] ? from[b] : to[b], over arrays
// [B, count] of any type, or with poison to[b] + 0·from[b]; a round's line of the history [rounds, 3, B].
//
// Bytes: an accepted image is read and written once, one that is not costs nothing (with poison: two reads and a
// write). Poison is formed in float32 and rounded to the type.
#include "kernels/select.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

constexpr int select_threads = 256;
constexpr int units_each = 4;
constexpr int block_units = select_threads * units_each;

__global__ void __launch_bounds__(select_threads) accept_kernel(const float* start, const float* candidate, float delta,
                                                                std::int64_t images, std::uint8_t* accepted) {
  const std::int64_t image = std::int64_t{blockIdx.x} * select_threads + threadIdx.x;
  if (image < images) accepted[image] = start[image] - candidate[image] < delta ? 1 : 0;
}

/// An image is `count` units; `parts` blocks an image.
template <class Unit>
__global__ void __launch_bounds__(select_threads)
    select_kernel(const std::uint8_t* accepted, const Unit* from, Unit* to, std::int64_t count, unsigned parts) {
  const std::int64_t image = blockIdx.x / parts;
  if (accepted[image] == 0) return;
  const std::int64_t first = std::int64_t{blockIdx.x % parts} * block_units + threadIdx.x;
  Unit units[units_each];
#pragma unroll
  for (int k = 0; k < units_each; ++k) {
    if (first + k * select_threads < count) units[k] = from[image * count + first + k * select_threads];
  }
#pragma unroll
  for (int k = 0; k < units_each; ++k) {
    if (first + k * select_threads < count) to[image * count + first + k * select_threads] = units[k];
  }
}

template <class T>
__global__ void __launch_bounds__(octet_threads)
    select_with_poison_kernel(const std::uint8_t* accepted, const T* from, T* to, std::int64_t count, unsigned parts,
                              bool aligned) {
  const std::int64_t image = blockIdx.x / parts;
  const std::int64_t first = std::int64_t{blockIdx.x % parts} * octet_block_elements;
  const bool is_accepted = accepted[image] != 0;
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = first + (k * octet_threads + static_cast<int>(threadIdx.x)) * octet_size;
    if (start >= count) return;
    Octet<T> octet = load_octet(from + image * count, start, count, aligned);
    if (!is_accepted) {
      const Octet<T> kept = load_octet(to + image * count, start, count, aligned);
#pragma unroll
      for (int i = 0; i < octet_size; ++i) octet.set(i, kept.at(i) + 0.0F * octet.at(i));
    }
    store_octet(octet, to + image * count, start, count, aligned);
  }
}

/// One block: the counter moves only when every thread has read it.
__global__ void __launch_bounds__(select_threads)
    note_judgement_kernel(const float* probability, const float* target_probability, const std::uint8_t* accepted,
                          std::int64_t images, std::int32_t* counter, float* history, std::int64_t rounds) {
  const std::int32_t round = *counter;
  __syncthreads();
  if (round < 0 || round >= rounds) return;
  float* line = history + round * 3 * images;
  for (std::int64_t image = threadIdx.x; image < images; image += select_threads) {
    line[image] = probability[image];
    line[images + image] = target_probability[image];
    line[2 * images + image] = accepted[image] != 0 ? 1.0F : 0.0F;
  }
  if (threadIdx.x == 0) *counter = round + 1;
}

template <class Unit>
cudaError_t select_units(const std::uint8_t* accepted, const void* from, void* to, std::int64_t images,
                         std::int64_t image_bytes, cudaStream_t stream) {
  const auto count = image_bytes / static_cast<std::int64_t>(sizeof(Unit));
  const std::int64_t parts = (count + block_units - 1) / block_units;
  if (images == 0 || parts == 0) return cudaSuccess;
  if (parts > INT32_MAX || images > INT32_MAX / parts) return cudaErrorInvalidValue;
  return launch(select_kernel<Unit>, dim3(static_cast<unsigned>(images * parts)), dim3(select_threads), 0, stream,
                accepted, static_cast<const Unit*>(from), static_cast<Unit*>(to), count, static_cast<unsigned>(parts));
}

}  // namespace

cudaError_t accept(const float* start_probability, const float* candidate_probability, float delta, std::int64_t images,
                   std::uint8_t* accepted, cudaStream_t stream) {
  const std::int64_t blocks = (images + select_threads - 1) / select_threads;
  return launch(accept_kernel, dim3(static_cast<unsigned>(blocks)), dim3(select_threads), 0, stream, start_probability,
                candidate_probability, delta, images, accepted);
}

cudaError_t select(const std::uint8_t* accepted, const void* from, void* to, std::int64_t images,
                   std::int64_t image_bytes, cudaStream_t stream) {
  const std::uintptr_t places = reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to) |
                                static_cast<std::uintptr_t>(image_bytes);
  if (places % 16 == 0) return select_units<uint4>(accepted, from, to, images, image_bytes, stream);
  if (places % 4 == 0) return select_units<std::uint32_t>(accepted, from, to, images, image_bytes, stream);
  if (places % 2 == 0) return select_units<std::uint16_t>(accepted, from, to, images, image_bytes, stream);
  return select_units<std::uint8_t>(accepted, from, to, images, image_bytes, stream);
}

cudaError_t select_with_poison(const std::uint8_t* accepted, const void* from, void* to, Element element,
                               std::int64_t images, std::int64_t count, cudaStream_t stream) {
  const std::int64_t parts = (count + octet_block_elements - 1) / octet_block_elements;
  if (images == 0 || parts == 0) return cudaSuccess;
  if (parts > INT32_MAX || images > INT32_MAX / parts) return cudaErrorInvalidValue;
  const bool aligned = on_packs(from) && on_packs(to) && count % octet_size == 0;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return launch(select_with_poison_kernel<T>, dim3(static_cast<unsigned>(images * parts)), dim3(octet_threads), 0,
                  stream, accepted, static_cast<const T*>(from), static_cast<T*>(to), count,
                  static_cast<unsigned>(parts), aligned);
  });
}

cudaError_t note_judgement(const float* probability, const float* target_probability, const std::uint8_t* accepted,
                           std::int64_t images, std::int32_t* counter, float* history, std::int64_t rounds,
                           cudaStream_t stream) {
  return launch(note_judgement_kernel, dim3(1), dim3(select_threads), 0, stream, probability, target_probability,
                accepted, images, counter, history, rounds);
}

}  // namespace blindspot::kernels
