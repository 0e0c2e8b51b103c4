// Several ways to do the same work, of which the fastest is found by trying them on the arrays of trial_arrays.h. May
// use the CUDA runtime and device.h.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <span>

#include "engine/cuda/trial_arrays.h"

namespace blindspot::cuda {

struct Way {
  std::size_t scratch_bytes = 0;
  /// Queues the work; throws Error(device) where it cannot be done so.
  std::function<void(std::span<void* const> arrays, void* scratch, cudaStream_t stream)> run;
};

/// Makes a way ready; throws Error(device) where it cannot be, OutOfMemory where it lacks memory.
using WayMaker = std::function<Way()>;

}  // namespace blindspot::cuda
