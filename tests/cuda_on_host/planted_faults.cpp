// Planted faults, each run by CTest in the sanitizer build that must stop it. The argument names the fault.
#include <cstdio>
#include <string_view>

#include "kernels/launch.cuh"

namespace {

using blindspot::kernels::dynamic_shared_memory;
using blindspot::kernels::launch;

// Forgets `if (i < count)`.
__global__ void write_past_the_end(float* values) {
  values[blockIdx.x * blockDim.x + threadIdx.x] = 1;
}

__global__ void write_past_shared_memory(float* values) {
  dynamic_shared_memory<float>()[threadIdx.x + 1] = 1;
  values[threadIdx.x] = 1;
}

__global__ void write_past_static_shared_memory(float* values) {
  __shared__ float shared[31];
  shared[threadIdx.x] = 1;
  values[threadIdx.x] = shared[0];
}

__global__ void copy_misaligned(const char* from, float* to) {
  to[threadIdx.x] = reinterpret_cast<const float*>(from)[threadIdx.x];
}

// Lacks a barrier between writing and reading.
__global__ void read_without_barrier(float* values) {
  __shared__ float shared[64];
  shared[threadIdx.x] = values[threadIdx.x];
  values[threadIdx.x] = shared[63 - threadIdx.x];
}

// A shuffle waits for the other lanes but promises nothing about memory; __syncwarp does.
__global__ void read_after_shuffle(float* values) {
  __shared__ float shared[32];
  shared[threadIdx.x] = values[threadIdx.x];
  const float first = __shfl_sync(0xFFFFFFFFU, 1.0F, 0);
  values[threadIdx.x] = first + shared[31 - threadIdx.x];
}

// Two threads of a block write the same place.
__global__ void write_together(float* values) {
  values[threadIdx.x / 2] = static_cast<float>(threadIdx.x);
}

cudaError_t run(std::string_view fault) {
  float* values = nullptr;
  if (const cudaError_t status = cudaMalloc(&values, 64 * sizeof(float)); status != cudaSuccess) return status;
  if (fault == "device memory") return launch(write_past_the_end, dim3(3), dim3(32), 0, nullptr, values);
  if (fault == "dynamic shared memory")
    return launch(write_past_shared_memory, dim3(1), dim3(32), 128, nullptr, values);
  if (fault == "static shared memory")
    return launch(write_past_static_shared_memory, dim3(1), dim3(32), 0, nullptr, values);
  if (fault == "misaligned")
    return launch(copy_misaligned, dim3(1), dim3(4), 0, nullptr, reinterpret_cast<const char*>(values) + 1,
                  values + 32);
  if (fault == "missing barrier") return launch(read_without_barrier, dim3(1), dim3(64), 0, nullptr, values);
  if (fault == "shuffle as barrier") return launch(read_after_shuffle, dim3(1), dim3(32), 0, nullptr, values);
  if (fault == "same place") return launch(write_together, dim3(1), dim3(64), 0, nullptr, values);
  return cudaErrorInvalidValue;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const cudaError_t status = run(arguments[1]);
  std::printf("the planted fault went unnoticed (%s)\n", cudaGetErrorName(status));
  return 0;
}
