// Implementation of trial_arrays.h.
#include "engine/cuda/trial_arrays.h"

#include <algorithm>
#include <cstdint>

#include "engine/arena.h"

namespace blindspot::cuda {

namespace {

bool is_output(const GraphDescription& graph, std::size_t place) {
  return std::any_of(graph.operations.begin(), graph.operations.end(), [&](const OperationDescription& operation) {
    return std::find(operation.outputs.begin(), operation.outputs.end(), static_cast<int>(place)) !=
           operation.outputs.end();
  });
}

bool is_filter(const GraphDescription& graph, std::size_t place) {
  return std::any_of(graph.operations.begin(), graph.operations.end(), [&](const OperationDescription& operation) {
    const bool convolution = operation.kind == OperationKind::convolution_forward ||
                             operation.kind == OperationKind::convolution_input_gradient;
    return convolution && operation.inputs.at(1) == static_cast<int>(place);
  });
}

}  // namespace

std::vector<TrialArray> trial_arrays(const GraphDescription& graph) {
  const std::int64_t batch =
      graph.tensors.at(static_cast<std::size_t>(graph.operations.at(0).inputs.at(0))).dimensions[0];
  const int last_output = graph.operations.back().outputs.at(0);
  std::vector<TrialArray> arrays;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const TensorDescription& tensor = graph.tensors[i];
    // By its name: of one image of 1×1 pixels a float32 bias looks just the same.
    const int in_place_of = tensor.name == residual_name ? last_output : -1;
    TrialArray array{tensor.type, 0, is_output(graph, i), 0, in_place_of};
    std::int64_t last = 0;  // place of the last element
    for (std::size_t d = 0; d < tensor.dimensions.size(); ++d) last += (tensor.dimensions[d] - 1) * tensor.strides[d];
    if (!tensor.is_virtual) array.bytes = array_bytes(tensor.type, {last + 1});
    if (tensor.dimensions[0] == batch && batch > 1 && !is_filter(graph, i)) {
      array.period = array_bytes(tensor.type, {tensor.strides[0]});  // of a mask, whose pixels fill whole bytes, too
    }
    arrays.push_back(array);
  }
  return arrays;
}

}  // namespace blindspot::cuda
