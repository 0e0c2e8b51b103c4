// Several ways to do the same work, of which the fastest is found by trying them: the arrays that the work goes over,
// and how one way runs. May use the CUDA runtime and device.h.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <span>

#include "engine/device.h"

namespace blindspot::cuda {

/// One array that the work reads or writes.
struct TrialArray {
  Type type = Type::float32;
  std::size_t bytes = 0;  ///< 0: none, its pointer is null
  bool output = false;
  /// Bytes after which the data repeat, one slot of the batch; 0: they do not. Where all inputs of a batch repeat, the
  /// outputs have to.
  std::size_t period = 0;
  /// Number of the output in whose memory this input lies when the plan is used; −1: it has memory of its own.
  int in_place_of = -1;
};

struct Way {
  std::size_t scratch_bytes = 0;
  /// Queues the work; throws Error(device) where it cannot be done so.
  std::function<void(std::span<void* const> arrays, void* scratch, cudaStream_t stream)> run;
};

/// Makes a way ready; throws Error(device) where it cannot be.
using WayMaker = std::function<Way()>;

}  // namespace blindspot::cuda
