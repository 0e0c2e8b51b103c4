// Implementation of reference_libraries.h: plans that check what they are given and compute when the stream gets to
// them.
#include "reference_libraries.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "host_execution.h"
#include "reference_operations.h"
#include "reference_product.h"
#include "reference_tensor.h"
#include "runtime_state.h"

namespace blindspot::tests {
namespace {

using cuda::GraphDescription;
using cuda::OperationDescription;
using cuda::OperationKind;
using cuda::ProductDescription;
using cuda::ProductPrecision;
using cuda::TensorDescription;

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
  throw Error(ErrorKind::device, fmt::format("{}: {}", name, reason));
}

/// Graphs and products of different names want different workspaces, some none.
std::size_t workspace_for(const std::string& name) {
  return std::hash<std::string>{}(name) % 5 * 1000;
}

void check_memory(const std::string& name, const std::string& tensor, const void* memory, std::size_t bytes) {
  if (memory == nullptr) refuse(name, fmt::format("no memory for '{}'", tensor));
  if (reinterpret_cast<std::uintptr_t>(memory) % 16 != 0) refuse(name, fmt::format("'{}' is not aligned", tensor));
  if (!cuda_on_host::is_device_memory(memory, bytes)) refuse(name, fmt::format("'{}' is not in GPU memory", tensor));
}

void check_workspace(const std::string& name, const void* workspace, std::size_t bytes) {
  if (bytes > 0) check_memory(name, "workspace", workspace, bytes);
}

/// Runs `work` when the stream gets to it. What a workspace held is lost, as it would be.
void enqueue(const std::string& name, cudaStream_t stream, void* workspace, std::size_t bytes,
             std::function<void()> work) {
  const cudaError_t status = cuda_on_host::enqueue(stream, [workspace, bytes, work = std::move(work)] {
    if (bytes > 0) std::memset(workspace, 0xFF, bytes);
    work();
    return cudaSuccess;
  });
  if (status != cudaSuccess) refuse(name, cudaGetErrorString(status));
}

bool is_attention(OperationKind kind) {
  return kind == OperationKind::attention_forward || kind == OperationKind::attention_input_gradient;
}

/// A graph's tensors while it is computed.
class Evaluation {
 public:
  Evaluation(const GraphDescription& graph, const std::vector<void*>& memory)
      : graph_(graph),
        memory_(memory),
        layout_(is_attention(graph.operations[0].kind) ? Layout::as_described : Layout::channels_last),
        virtual_values_(graph.tensors.size()) {}

  void compute(const OperationDescription& operation) {
    const auto& in = operation.inputs;
    const auto& out = operation.outputs;
    switch (operation.kind) {
      case OperationKind::convolution_forward:
        put(out[0], convolution(factor(in[0]), factor(in[1]), operation, sizes(out[0])));
        break;
      case OperationKind::convolution_input_gradient:
        put(out[0], convolution_gradient(factor(in[0]), factor(in[1]), operation, sizes(out[0])));
        break;
      case OperationKind::add:
        put(out[0], sum(value(in[0]), value(in[1])));
        break;
      case OperationKind::relu:
        put(out[0], relu(value(in[0])));
        break;
      case OperationKind::mask:
        put(out[0], masked(value(in[0]), value(in[1])));
        break;
      case OperationKind::attention_forward: {
        const Values q = value(in[0]);
        const Values k = value(in[1]);
        const Values v = value(in[2]);
        auto results = attention({&q, &k, &v}, static_cast<double>(operation.score_scale));
        for (std::size_t i = 0; i < results.size(); ++i) put(out[i], std::move(results.at(i)));
        break;
      }
      case OperationKind::attention_input_gradient: {
        std::array<Values, 6> inputs;
        for (std::size_t i = 0; i < inputs.size(); ++i) inputs.at(i) = value(in[i]);
        auto results = attention_gradient({&inputs[0], &inputs[1], &inputs[2], &inputs[3], &inputs[4], &inputs[5]},
                                          static_cast<double>(operation.score_scale));
        for (std::size_t i = 0; i < results.size(); ++i) put(out[i], std::move(results.at(i)));
        break;
      }
    }
  }

 private:
  const TensorDescription& tensor(int place) const { return graph_.tensors[static_cast<std::size_t>(place)]; }
  std::vector<std::int64_t> sizes(int place) const { return sizes_of(tensor(place), layout_); }

  Values value(int place) const {
    const auto index = static_cast<std::size_t>(place);
    return tensor(place).is_virtual ? virtual_values_[index] : load(tensor(place), memory_[index], layout_);
  }

  /// A factor of products.
  Values factor(int place) const {
    Values values = value(place);
    if (graph_.products == ProductPrecision::tf32 && tensor(place).type == Type::float32) {
      for (double& one : values.values) one = rounded_to_tf32(one);
    }
    return values;
  }

  void put(int place, Values values) {
    const auto index = static_cast<std::size_t>(place);
    if (tensor(place).is_virtual) {
      for (double& one : values.values) one = static_cast<double>(static_cast<float>(one));
      virtual_values_[index] = std::move(values);
    } else {
      store(values, tensor(place), memory_[index], layout_);
    }
  }

  const GraphDescription& graph_;
  const std::vector<void*>& memory_;
  Layout layout_;
  std::vector<Values> virtual_values_;
};

void count(const GraphDescription& graph, ReferenceCounters& counters) {
  switch (graph.operations[0].kind) {
    case OperationKind::convolution_forward:
      ++(graph.operations.size() > 1 ? counters.fused_convolutions : counters.plain_convolutions);
      break;
    case OperationKind::convolution_input_gradient:
      ++(graph.operations.size() > 1 ? counters.fused_gradients : counters.convolution_gradients);
      break;
    case OperationKind::attention_forward:
      ++counters.attentions;
      break;
    case OperationKind::attention_input_gradient:
      ++counters.attention_gradients;
      break;
    default:
      break;
  }
}

class ReferenceGraphPlan final : public cuda::GraphPlan {
 public:
  ReferenceGraphPlan(GraphDescription graph, std::shared_ptr<ReferenceCounters> counters)
      : graph_(std::make_shared<GraphDescription>(std::move(graph))), counters_(std::move(counters)) {}

  std::size_t workspace_bytes() const override { return workspace_for(graph_->name); }
  std::string identity() const override { return "reference " + graph_->name; }

  void execute(std::span<void* const> tensors, void* workspace, cudaStream_t stream) override {
    if (tensors.size() != graph_->tensors.size()) refuse(graph_->name, "not one memory for each tensor");
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const TensorDescription& tensor = graph_->tensors[i];
      if (tensor.is_virtual && tensors[i] != nullptr) refuse(graph_->name, "memory for a virtual tensor");
      if (!tensor.is_virtual) check_memory(graph_->name, tensor.name, tensors[i], extent_bytes(tensor));
    }
    check_workspace(graph_->name, workspace, workspace_bytes());
    enqueue(graph_->name, stream, workspace, workspace_bytes(),
            [graph = graph_, counters = counters_, memory = std::vector<void*>(tensors.begin(), tensors.end())] {
              Evaluation evaluation(*graph, memory);
              for (const OperationDescription& operation : graph->operations) evaluation.compute(operation);
              count(*graph, *counters);
            });
  }

 private:
  std::shared_ptr<const GraphDescription> graph_;
  std::shared_ptr<ReferenceCounters> counters_;
};

// --- products ------------------------------------------------------------------------------------------------------

/// The whole of a column-major matrix, dense.
std::vector<double> load_matrix(const cuda::MatrixDescription& matrix, const void* memory, bool to_tf32) {
  std::vector<double> values(static_cast<std::size_t>(matrix.rows * matrix.columns));
  for (std::int64_t column = 0; column < matrix.columns; ++column) {
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      const double value = element_at(matrix.type, memory, column * matrix.leading_dimension + row);
      values[static_cast<std::size_t>(column * matrix.rows + row)] = to_tf32 ? rounded_to_tf32(value) : value;
    }
  }
  return values;
}

MatrixView view_of(const cuda::MatrixDescription& matrix, const std::vector<double>& values, bool transpose) {
  const MatrixView view{values.data(), matrix.rows, matrix.columns, 1, matrix.rows};
  return transpose ? view.transposed() : view;
}

void compute(const ProductDescription& p, const void* a, const void* b, void* d, const void* bias) {
  const bool to_tf32 = p.products == ProductPrecision::tf32 && p.a.type == Type::float32;
  const std::vector<double> left = load_matrix(p.a, a, to_tf32);
  const std::vector<double> right = load_matrix(p.b, b, to_tf32);
  // Transposed, so that the rows of the result are the columns of D, which lie together.
  const std::vector<double> sums = product(view_of(p.b, right, !p.transpose_b), view_of(p.a, left, !p.transpose_a));
  for (std::int64_t column = 0; column < p.d.columns; ++column) {
    for (std::int64_t row = 0; row < p.d.rows; ++row) {
      const std::int64_t element = column * p.d.leading_dimension + row;
      double value = sums[static_cast<std::size_t>(column * p.d.rows + row)];
      if (p.beta != 0) value += static_cast<double>(p.beta) * element_at(p.d.type, d, element);
      if (p.bias) value += element_at(p.bias_type, bias, row);
      set_element(p.d.type, d, element, value);
    }
  }
}

std::size_t extent_bytes(const cuda::MatrixDescription& matrix) {
  return static_cast<std::size_t>((matrix.columns - 1) * matrix.leading_dimension + matrix.rows) *
         element_bytes(matrix.type);
}

/// cuBLASLt's rules, as far as they bear on us.
void check_product(const ProductDescription& p) {
  const auto require = [&](bool fits, const char* reason) {
    if (!fits) refuse(p.name, reason);
  };
  for (const cuda::MatrixDescription& matrix : {p.a, p.b, p.d}) {
    require(matrix.rows > 0 && matrix.columns > 0 && matrix.leading_dimension >= matrix.rows, "a matrix of no size");
  }
  const auto rows = [](const cuda::MatrixDescription& m, bool transposed) { return transposed ? m.columns : m.rows; };
  require(rows(p.a, p.transpose_a) == p.d.rows && rows(p.b, !p.transpose_b) == p.d.columns &&
              rows(p.a, !p.transpose_a) == rows(p.b, p.transpose_b),
          "matrices that do not fit each other");
  require(p.a.type == p.b.type, "factors of two types");
  require(p.d.type == Type::float32 || p.d.type == p.a.type, "a result of another 16-bit type than the factors");
  require(p.beta == 0 || p.beta == 1, "beta is neither 0 nor 1");
  require(!p.bias || p.bias_type == p.d.type, "a bias of another type than the result");
}

class ReferenceProductPlan final : public cuda::ProductPlan {
 public:
  ReferenceProductPlan(ProductDescription product, std::shared_ptr<ReferenceCounters> counters)
      : product_(std::make_shared<ProductDescription>(std::move(product))), counters_(std::move(counters)) {}

  std::size_t workspace_bytes() const override { return workspace_for(product_->name); }
  std::string identity() const override { return "reference " + product_->name; }

  void execute(const void* a, const void* b, void* d, const void* bias, void* workspace, cudaStream_t stream) override {
    const ProductDescription& p = *product_;
    check_memory(p.name, "a", a, extent_bytes(p.a));
    check_memory(p.name, "b", b, extent_bytes(p.b));
    check_memory(p.name, "d", d, extent_bytes(p.d));
    if (p.bias) check_memory(p.name, "bias", bias, static_cast<std::size_t>(p.d.rows) * element_bytes(p.bias_type));
    if (!p.bias && bias != nullptr) refuse(p.name, "a bias that the description has not");
    check_workspace(p.name, workspace, workspace_bytes());
    enqueue(p.name, stream, workspace, workspace_bytes(), [product = product_, counters = counters_, a, b, d, bias] {
      compute(*product, a, b, d, bias);
      ++counters->products;
    });
  }

 private:
  std::shared_ptr<const ProductDescription> product_;
  std::shared_ptr<ReferenceCounters> counters_;
};

void check_graph(const GraphDescription& graph) {
  if (graph.operations.empty()) refuse(graph.name, "no operation");
  for (const TensorDescription& tensor : graph.tensors) check_tensor(tensor);
  std::vector<bool> used(graph.tensors.size(), false);
  std::vector<bool> known(graph.tensors.size(), false);
  for (const OperationDescription& operation : graph.operations) {
    check_operation(graph, operation);
    for (const int place : operation.inputs) {
      const auto index = static_cast<std::size_t>(place);
      used[index] = true;
      if (graph.tensors[index].is_virtual && !known[index]) refuse(graph.name, "a virtual tensor read before written");
    }
    for (const int place : operation.outputs)
      used[static_cast<std::size_t>(place)] = known[static_cast<std::size_t>(place)] = true;
  }
  if (std::find(used.begin(), used.end(), false) != used.end()) refuse(graph.name, "a tensor of no operation");
}

}  // namespace

ReferenceLibraries::ReferenceLibraries(const ReferenceOptions& options)
    : options_(options), counters_(std::make_shared<ReferenceCounters>()) {}

std::string ReferenceLibraries::description() const {
  return "reference interpreter";
}

bool ReferenceLibraries::supports(const GraphDescription& graph) {
  if (graph.operations.empty()) return false;
  if (is_attention(graph.operations[0].kind)) {
    // As in cuDNN: 16-bit types, and whole 16-byte accesses along a head's rows.
    return options_.attention && graph.tensors[0].type != Type::float32 && graph.tensors[0].dimensions[3] % 8 == 0;
  }
  return options_.fused_convolutions || graph.operations.size() == 1;
}

std::unique_ptr<cuda::GraphPlan> ReferenceLibraries::plan(const GraphDescription& graph, std::size_t workspace_limit) {
  check_graph(graph);
  if (!supports(graph)) refuse(graph.name, "not supported");
  auto plan = std::make_unique<ReferenceGraphPlan>(graph, counters_);
  if (plan->workspace_bytes() > workspace_limit) refuse(graph.name, "no plan with so small a workspace");
  return plan;
}

std::unique_ptr<cuda::ProductPlan> ReferenceLibraries::plan(const ProductDescription& product,
                                                            std::size_t workspace_limit) {
  check_product(product);
  auto plan = std::make_unique<ReferenceProductPlan>(product, counters_);
  if (plan->workspace_bytes() > workspace_limit) refuse(product.name, "no plan with so small a workspace");
  return plan;
}

std::size_t ReferenceLibraries::fastest(const std::string& what, const std::vector<cuda::TrialArray>&,
                                        std::span<const cuda::WayMaker> ways) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char letter : what) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  const std::size_t first = options_.way.value_or(hash / 7);
  std::string reason;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const std::size_t way = (first + i) % ways.size();
    try {
      ways[way]();
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      reason = error.what();
      continue;
    }
    ++counters_->ways.at(way);
    return way;
  }
  throw Error(ErrorKind::device, fmt::format("{}: {}", what, reason));
}

}  // namespace blindspot::tests
