// Eight neighbouring elements of a flat array in registers: what a thread of an elementwise kernel handles, because
// eight elements are one byte of a mask and one or two 16-byte accesses. May use launch.cuh.
//
// A block of 256 threads covers `octets_each` octets a thread, `octet_threads` octets apart, so that a warp's accesses
// are neighbours and every thread has several of them on the way before it waits for the first.
#pragma once

#include <cstdint>

#include "kernels/launch.cuh"

namespace blindspot::kernels {

constexpr int octet_size = 8;
constexpr int octets_each = 2;
constexpr int octet_threads = 256;
constexpr int octet_block_elements = octet_size * octets_each * octet_threads;

/// As it lies in memory: reading one does not wait for it.
template <class T>
struct Octet {
  Pack<T> packs[octet_size / Pack<T>::size];

  __device__ float at(int i) const { return to_float(packs[i / Pack<T>::size].values[i % Pack<T>::size]); }
  __device__ void set(int i, float value) { packs[i / Pack<T>::size].values[i % Pack<T>::size] = from_float<T>(value); }
};

/// First element of the thread's octet number `number` (0 … octets_each − 1).
__device__ inline std::int64_t octet_start(int number) {
  const auto octet = static_cast<std::int64_t>(blockIdx.x) * (octets_each * octet_threads) + number * octet_threads;
  return (octet + threadIdx.x) * octet_size;
}

/// Elements `start` … `start` + 7; zero from `count` on. `aligned`: the array begins at a multiple of 16 bytes.
template <class T>
__device__ Octet<T> load_octet(const T* from, std::int64_t start, std::int64_t count, bool aligned) {
  constexpr int size = Pack<T>::size;
  Octet<T> octet;
  if (aligned && start + octet_size <= count) {
    const auto* packs = accessed_as<const Pack<T>>(from + start);
#pragma unroll
    for (int pack = 0; pack < octet_size / size; ++pack) octet.packs[pack] = packs[pack];
  } else {
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      octet.packs[i / size].values[i % size] = start + i < count ? from[start + i] : from_float<T>(0.0F);
    }
  }
  return octet;
}

template <class T>
__device__ void store_octet(const Octet<T>& octet, T* to, std::int64_t start, std::int64_t count, bool aligned) {
  constexpr int size = Pack<T>::size;
  if (aligned && start + octet_size <= count) {
    auto* packs = accessed_as<Pack<T>>(to + start);
#pragma unroll
    for (int pack = 0; pack < octet_size / size; ++pack) packs[pack] = octet.packs[pack];
  } else {
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      if (start + i < count) to[start + i] = octet.packs[i / size].values[i % size];
    }
  }
}

/// Whether a ReLU lets the value through: NaN counts as positive.
__device__ inline bool is_positive(float value) {
  return !(value <= 0.0F);
}

/// The bits of an octet that lie inside the array.
__device__ inline std::uint32_t octet_bits_inside(std::int64_t start, std::int64_t count) {
  return start + octet_size <= count ? 0xffU : (1U << (count - start)) - 1U;
}

/// Null counts as aligned.
inline bool on_packs(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

/// A kernel over `count` elements in octets; nothing at all for none.
template <class... Parameters, class... Arguments>
cudaError_t launch_octets(void (*kernel)(Parameters...), std::int64_t count, cudaStream_t stream,
                          Arguments... arguments) {
  if (count == 0) return cudaSuccess;
  const std::int64_t blocks = (count + octet_block_elements - 1) / octet_block_elements;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  return launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(octet_threads), 0, stream, arguments...);
}

}  // namespace blindspot::kernels
