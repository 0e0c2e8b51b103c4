// What every kernel is written with: element types and their conversions, 16-byte packs, launching, and block
// reductions in a fixed order. May use the CUDA runtime and instructions.cuh.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/element.cuh"
#include "kernels/instructions.cuh"

namespace blindspot::kernels {

/// Calls `function` with a value of the element's type and returns its status.
template <class F>
cudaError_t with_element(Element element, F function) {
  switch (element) {
    case Element::float32:
      return function(float{});
    case Element::bfloat16:
      return function(__nv_bfloat16{});
    case Element::float16:
      return function(__half{});
  }
  return cudaErrorInvalidValue;
}

/// Launches `kernel`, whose launches may take up to `most_shared_bytes` of dynamic shared memory; its limit is raised
/// to that where it is more than every kernel may have. The limit is one number for all threads of the host: it is the
/// same at every launch of a kernel on a device, or one thread would lower it between another's raising it and
/// launching. A grid without blocks is no work, and success.
template <class... P, class... A>
cudaError_t launch_within(std::size_t most_shared_bytes, void (*kernel)(P...), dim3 grid, dim3 block,
                          std::size_t shared_bytes, cudaStream_t stream, A... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "one argument for each parameter of the kernel");
  constexpr std::size_t always_allowed = 48 * 1024;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return cudaSuccess;
  if (shared_bytes > always_allowed) {
    const cudaError_t status =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(most_shared_bytes));
    if (status != cudaSuccess) return status;
  }
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = grid;
  configuration.blockDim = block;
  configuration.dynamicSmemBytes = shared_bytes;
  configuration.stream = stream;
  return cudaLaunchKernelEx(&configuration, kernel, arguments...);
}

/// The same for a kernel whose launches all take the same dynamic shared memory.
template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   A... arguments) {
  return launch_within(shared_bytes, kernel, grid, block, shared_bytes, stream, arguments...);
}

template <class T>
__device__ inline float to_float(T value) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __bfloat162float(value);
  } else if constexpr (std::is_same_v<T, __half>) {
    return __half2float(value);
  } else {
    static_assert(std::is_same_v<T, float>, "elements are float, __nv_bfloat16 or __half");
    return value;
  }
}

/// Rounds to nearest, ties to even.
template <class T>
__device__ inline T from_float(float value) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(value);
  } else if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(value);
  } else {
    static_assert(std::is_same_v<T, float>, "elements are float, __nv_bfloat16 or __half");
    return value;
  }
}

/// As many elements as one 16-byte access moves.
template <class T>
struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T values[size];
};

struct Sum {
  static constexpr float identity = 0;
  __device__ static float combine(float a, float b) { return a + b; }
};

/// NaN if any value is.
struct Maximum {
  static constexpr float identity = -__builtin_huge_valf();
  __device__ static float combine(float a, float b) { return a > b || a != a ? a : b; }
};

/// The reduction over a warp's 32 lanes, always in the same order; lane 0 has it.
template <class Operation>
__device__ inline float warp_reduce(float value) {
  for (unsigned distance = 16; distance > 0; distance /= 2) {
    value = Operation::combine(value, __shfl_down_sync(0xFFFFFFFFU, value, distance));
  }
  return value;
}

/// The reduction over a block of `Threads` threads in x, always in the same order; every thread gets it. All threads
/// call it.
template <int Threads, class Operation>
__device__ inline float block_reduce(float value) {
  static_assert(Threads % 32 == 0 && Threads <= 1024, "whole warps");
  constexpr unsigned warps = Threads / 32;
  __shared__ float of_warp[warps];
  __shared__ float of_block;
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  value = warp_reduce<Operation>(value);
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  if (warp == 0) {
    value = warp_reduce<Operation>(lane < warps ? of_warp[lane] : Operation::identity);
    if (lane == 0) of_block = value;
  }
  // A following call writes of_block only after its own first barrier, when every thread has read it.
  __syncthreads();
  return of_block;
}

template <int Threads>
__device__ inline float block_sum(float value) {
  return block_reduce<Threads, Sum>(value);
}

template <int Threads>
__device__ inline float block_max(float value) {
  return block_reduce<Threads, Maximum>(value);
}

}  // namespace blindspot::kernels
