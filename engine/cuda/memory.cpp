// Implementation of memory.h.
#include "engine/cuda/memory.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>

namespace blindspot::cuda {

std::byte* GpuMemory::allocate(std::size_t bytes) {
  void* data = nullptr;
  cudaError_t status = cudaSetDevice(gpu_);
  if (status == cudaSuccess) status = cudaMalloc(&data, bytes);
  if (status == cudaSuccess) {
    taken_ += bytes;
    peak_ = std::max(peak_, taken_);
    return static_cast<std::byte*>(data);
  }
  cudaGetLastError();  // a refusal, not a fault: it must not be taken for a later call's
  if (status != cudaErrorMemoryAllocation) {
    throw Error(ErrorKind::device,
                fmt::format("taking {} bytes of GPU memory: {}; start again", bytes, cudaGetErrorString(status)));
  }
  std::size_t free = 0;
  std::size_t total = 0;
  cudaMemGetInfo(&free, &total);
  throw OutOfMemory(fmt::format(
      "out of GPU memory: no {} bytes in one piece, {} of {} are free; choose a smaller --batch", bytes, free, total));
}

void GpuMemory::deallocate(std::byte* data, std::size_t bytes) noexcept {
  taken_ -= bytes;
  cudaSetDevice(gpu_);
  cudaFree(data);  // waits for what still uses it; of a lost GPU there is nothing to give back
}

}  // namespace blindspot::cuda
