// Memory of a GPU: what arena and constants are made of. May use arena.h and the CUDA runtime.
#pragma once

#include <cstddef>

#include "engine/arena.h"

namespace blindspot::cuda {

class GpuMemory final : public MemorySource {
 public:
  explicit GpuMemory(int gpu) : gpu_(gpu) {}
  std::size_t alignment() const override { return 256; }
  /// Error(device) says how much is free.
  std::byte* allocate(std::size_t bytes) override;
  void deallocate(std::byte* data, std::size_t bytes) noexcept override;
  /// The most bytes that were taken at one time.
  std::size_t peak_bytes() const { return peak_; }

 private:
  int gpu_;
  std::size_t taken_ = 0, peak_ = 0;
};

}  // namespace blindspot::cuda
