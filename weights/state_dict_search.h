// Which dict of an unpickled checkpoint is the state dict. Uses pickle_heap.h.
#pragma once

#include "weights/pickle_heap.h"

namespace blindspot::weights {

struct FoundTensor {
  std::string_view name;
  const PickledTensor* tensor = nullptr;
};

/// The tensors of the dict under `state_dict`, `model_state_dict`, `model`, `net` or `checkpoint`, one within another,
/// or of the root where no such entry leads to tensors. Each is charged to the heap. Throws Error(input) if there is
/// none or a name occurs twice.
std::vector<FoundTensor> find_state_dict(PickleHeap& heap, PickleValue root);

}  // namespace blindspot::weights
