// What kernels call: barriers, warp collectives, atomics and the few mathematical functions that C++ lacks. May use the
// types beside it. The schedulers stand behind the functions of namespace cuda_on_host.
#pragma once

// Not <cmath>: kernels call the global functions.
#include <math.h>  // NOLINT(modernize-deprecated-headers)

#include <bit>
#include <cstring>
#include <type_traits>

#include "cuda_on_host/device_types.h"

namespace cuda_on_host {

/// Computes a collective for all its lanes: `operands[lane]` is what that lane handed in, valid where `lanes` has the
/// bit.
using WarpFunction = void (*)(void* const* operands, std::uint32_t lanes);

/// Waits for every lane of `mask` that has not exited; the last to come computes for all. Lanes of one mask must come
/// with the same function.
void warp_collective(std::uint32_t mask, WarpFunction compute, void* operand);
/// Waits for every thread of the block that has not exited.
void synchronise_block();
/// The calling thread's place in its warp.
unsigned lane();
/// sums[16][8] = a[16][depth] · b[depth][8], each sum in the order of depth: what a tensor core multiplies at a time.
void multiply_tile(const double* a, const double* b, int depth, double* sums);
/// Ends the launch: the calling thread would access what a GPU cannot.
[[noreturn]] void stop_misaligned(const void* place, std::size_t alignment);
inline void require_aligned(const void* place, std::size_t alignment) {
  if (reinterpret_cast<std::uintptr_t>(place) % alignment != 0) stop_misaligned(place, alignment);
}
/// The block's dynamic shared memory, exactly as large as the launch asked for.
void* dynamic_shared_bytes();

/// __syncwarp: of all collectives the only one that orders memory.
void compute_nothing(void* const* operands, std::uint32_t lanes);

struct ShuffleOperand {
  std::uint64_t value, result;
  unsigned source;
};
void compute_shuffle(void* const* operands, std::uint32_t lanes);

struct VoteOperand {
  bool predicate;
  std::uint32_t ballot;
};
void compute_vote(void* const* operands, std::uint32_t lanes);

template <class T>
T shuffle(std::uint32_t mask, T value, unsigned source) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  ShuffleOperand operand{0, 0, source};
  std::memcpy(&operand.value, &value, sizeof value);
  warp_collective(mask, compute_shuffle, &operand);
  std::memcpy(&value, &operand.result, sizeof value);
  return value;
}

inline std::uint32_t ballot(std::uint32_t mask, bool predicate) {
  VoteOperand operand{predicate, 0};
  warp_collective(mask, compute_vote, &operand);
  return operand.ballot;
}

}  // namespace cuda_on_host

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the names are CUDA's.
// NOLINTBEGIN(readability-non-const-parameter): it does not see that atomic functions write.

inline void __syncthreads() {
  cuda_on_host::synchronise_block();
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU) {
  cuda_on_host::warp_collective(mask, cuda_on_host::compute_nothing, nullptr);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return cuda_on_host::ballot(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) {
  return cuda_on_host::ballot(mask, predicate != 0) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate) {
  return cuda_on_host::ballot(mask, predicate == 0) == 0 ? 1 : 0;
}

// A lane reads within its segment of `width` lanes; where the source lies outside, it keeps its own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize) {
  const unsigned segment = static_cast<unsigned>(width), lane = cuda_on_host::lane();
  return cuda_on_host::shuffle(mask, value, lane / segment * segment + (static_cast<unsigned>(source) & (segment - 1)));
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const unsigned segment = static_cast<unsigned>(width), lane = cuda_on_host::lane();
  return cuda_on_host::shuffle(mask, value, lane % segment + delta < segment ? lane + delta : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const unsigned segment = static_cast<unsigned>(width), lane = cuda_on_host::lane();
  return cuda_on_host::shuffle(mask, value, lane % segment >= delta ? lane - delta : lane);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize) {
  const unsigned segment = static_cast<unsigned>(width), lane = cuda_on_host::lane();
  const unsigned source = lane ^ static_cast<unsigned>(lane_mask);
  return cuda_on_host::shuffle(mask, value, source / segment <= lane / segment ? source : lane);
}

inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline int atomicAdd(int* address, int value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned atomicOr(unsigned* address, unsigned value) {
  return __atomic_fetch_or(address, value, __ATOMIC_RELAXED);
}

inline int __popc(unsigned value) {
  return std::popcount(value);
}
inline int __ffs(int value) {
  return __builtin_ffs(value);
}
inline int __clz(int value) {
  return std::countl_zero(static_cast<unsigned>(value));
}
inline int __float_as_int(float value) {
  return std::bit_cast<int>(value);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float __int_as_float(int value) {
  return std::bit_cast<float>(value);
}
inline float __uint_as_float(unsigned value) {
  return std::bit_cast<float>(value);
}
template <class T>
T __ldg(const T* address) {
  return *address;
}

inline float rsqrtf(float value) {
  return 1.0F / sqrtf(value);
}
constexpr int min(int a, int b) {
  return b < a ? b : a;
}
constexpr int max(int a, int b) {
  return a < b ? b : a;
}
constexpr unsigned min(unsigned a, unsigned b) {
  return b < a ? b : a;
}
constexpr unsigned max(unsigned a, unsigned b) {
  return a < b ? b : a;
}
constexpr long min(long a, long b) {
  return b < a ? b : a;
}
constexpr long max(long a, long b) {
  return a < b ? b : a;
}
constexpr long long min(long long a, long long b) {
  return b < a ? b : a;
}
constexpr long long max(long long a, long long b) {
  return a < b ? b : a;
}
inline float min(float a, float b) {
  return fminf(a, b);
}
inline float max(float a, float b) {
  return fmaxf(a, b);
}

// NOLINTEND(readability-non-const-parameter)
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
