// Sums over a warp or a block in double, in a fixed order, several at a time: for the few places where float32 would
// lose the digits that matter. May use launch.cuh.
#pragma once

#include "kernels/launch.cuh"

namespace blindspot::kernels {

/// Sums over groups of `Lanes` neighbouring lanes, always in the same order; every lane of a group gets the same bits.
/// All 32 lanes call it.
template <int Lanes>
__device__ inline double group_sum(double value) {
  static_assert(Lanes > 0 && Lanes <= 32 && (Lanes & (Lanes - 1)) == 0, "a power of two, within a warp");
#pragma unroll
  for (int distance = Lanes / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFU, value, distance);
  }
  return value;
}

/// values[i] becomes its sum over a block of `Threads` threads in x, always in the same order, for every thread. All
/// threads call it.
template <int Threads, int Count>
__device__ inline void block_sums(double (&values)[Count]) {
  static_assert(Threads % 32 == 0 && Threads <= 1024, "whole warps");
  constexpr unsigned warps = Threads / 32;
  __shared__ double of_warp[Count * warps];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  // A former call's last reads come before this call's writes.
  __syncthreads();
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    const double sum = group_sum<32>(values[i]);
    if (lane == 0) of_warp[static_cast<unsigned>(i) * warps + warp] = sum;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    values[i] = group_sum<32>(lane < warps ? of_warp[static_cast<unsigned>(i) * warps + lane] : 0.0);
  }
}

}  // namespace blindspot::kernels
