// What a plan is tried on: the arrays that the work goes over, as plain values. May use the descriptions, device.h and
// arena.h.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/cuda/graph_description.h"
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

/// The arrays of a graph, one for each of its tensors: as large as the strides say, and the same in every slot of the
/// batch.
std::vector<TrialArray> trial_arrays(const GraphDescription& graph);

}  // namespace blindspot::cuda
