// Implementation of library_cudnn_graph.h, through cudnn-frontend.
#include "engine/cuda/library_cudnn_graph.h"

#include <cudnn_frontend.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/cuda/failure.h"

namespace blindspot::cuda {

namespace {

namespace frontend = cudnn_frontend;
using Tensor = std::shared_ptr<frontend::graph::Tensor_attributes>;

/// cudnn-frontend's graph, with a look at what it keeps to itself.
class Graph final : public frontend::graph::Graph {
 public:
  /// Configurations in the order of plan numbers. To be called before any is left out.
  frontend::EngineConfigList configurations() { return plans.get_barred_engine_configs(); }
  /// Makes serialize() write this plan.
  void select(std::int64_t plan) { plans.candidate = plan; }
};

[[noreturn]] void refuse(const GraphDescription& graph, const std::string& what, const std::string& reason) {
  const std::string line = reason.substr(0, reason.find('\n'));
  throw_refusal(says_memory_ran_out(reason), fmt::format("{}: cuDNN {}: {}", graph.name, what, line));
}

void check(frontend::error_t status, const GraphDescription& graph, const std::string& what) {
  if (status.is_bad()) refuse(graph, what, status.get_message());
}

/// Runs `call`; whatever cudnn-frontend throws becomes an Error that names the graph.
template <typename Call>
auto guarded(const GraphDescription& graph, const std::string& what, const Call& call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& exception) {
    refuse(graph, what, exception.what());
  }
}

frontend::DataType_t data_type(Type type) {
  switch (type) {
    case Type::float32:
      return frontend::DataType_t::FLOAT;
    case Type::bfloat16:
      return frontend::DataType_t::BFLOAT16;
    case Type::float16:
      return frontend::DataType_t::HALF;
    case Type::mask:
      return frontend::DataType_t::BOOLEAN;  // packed, eight to a byte, the lowest bit first
    default:
      throw Error(ErrorKind::fault, "cuDNN is given float32, bfloat16, float16 and masks only");
  }
}

/// A tensor's number in cuDNN's variant pack.
std::int64_t number_of(std::size_t place) {
  return static_cast<std::int64_t>(place) + 1;
}

// --- translation ---------------------------------------------------------------------------------------------------

/// Adds the operations of a description to a graph, one after the other.
class Translation {
 public:
  Translation(const GraphDescription& description, Graph& graph)
      : description_(description), graph_(graph), tensors_(description.tensors.size()) {}

  void add(const OperationDescription& operation) {
    switch (operation.kind) {
      case OperationKind::convolution_forward:
        return result(operation, 0, convolution(operation));
      case OperationKind::convolution_input_gradient:
        return result(operation, 0, input_gradient(operation));
      case OperationKind::add:
        return result(operation, 0,
                      graph_.pointwise(input(operation, 0), input(operation, 1), mode(frontend::PointwiseMode_t::ADD)));
      case OperationKind::relu:
        return result(operation, 0, graph_.pointwise(input(operation, 0), mode(frontend::PointwiseMode_t::RELU_FWD)));
      case OperationKind::mask:
        return result(operation, 0, masked(operation));
      case OperationKind::attention_forward:
        return attention(operation);
      case OperationKind::attention_input_gradient:
        return attention_gradient(operation);
    }
    throw Error(ErrorKind::fault, description_.name + ": an operation that cuDNN is not asked for");
  }

 private:
  static frontend::graph::Pointwise_attributes mode(frontend::PointwiseMode_t pointwise) {
    return frontend::graph::Pointwise_attributes().set_mode(pointwise);
  }

  Tensor input(const OperationDescription& operation, std::size_t which) {
    const auto place = static_cast<std::size_t>(operation.inputs.at(which));
    Tensor& tensor = tensors_.at(place);
    if (!tensor) {
      const TensorDescription& about = description_.tensors[place];
      tensor = graph_.tensor(frontend::graph::Tensor_attributes()
                                 .set_name(about.name)
                                 .set_uid(number_of(place))
                                 .set_dim(about.dimensions)
                                 .set_stride(about.strides)
                                 .set_data_type(data_type(about.type)));
    }
    return tensor;
  }

  void result(const OperationDescription& operation, std::size_t which, const Tensor& tensor) {
    const auto place = static_cast<std::size_t>(operation.outputs.at(which));
    const TensorDescription& about = description_.tensors.at(place);
    tensor->set_name(about.name)
        .set_uid(number_of(place))
        .set_dim(about.dimensions)
        .set_stride(about.strides)
        .set_data_type(data_type(about.type))
        .set_output(!about.is_virtual);
    tensors_[place] = tensor;
  }

  Tensor convolution(const OperationDescription& operation) {
    return graph_.conv_fprop(input(operation, 0), input(operation, 1),
                             frontend::graph::Conv_fprop_attributes()
                                 .set_pre_padding(operation.pad_before)
                                 .set_post_padding(operation.pad_after)
                                 .set_stride(operation.stride)
                                 .set_dilation(std::vector<std::int64_t>(operation.stride.size(), 1)));
  }

  Tensor input_gradient(const OperationDescription& operation) {
    return graph_.conv_dgrad(input(operation, 0), input(operation, 1),
                             frontend::graph::Conv_dgrad_attributes()
                                 .set_pre_padding(operation.pad_before)
                                 .set_post_padding(operation.pad_after)
                                 .set_stride(operation.stride)
                                 .set_dilation(std::vector<std::int64_t>(operation.stride.size(), 1)));
  }

  /// A product with the bits would leave NaN where they are not set.
  Tensor masked(const OperationDescription& operation) {
    const Tensor zero = graph_.tensor(0.0F);
    return graph_.pointwise(input(operation, 0), zero, input(operation, 1),
                            mode(frontend::PointwiseMode_t::BINARY_SELECT));
  }

  void attention(const OperationDescription& operation) {
    const auto how = frontend::graph::SDPA_attributes()
                         .set_name("attention")
                         .set_generate_stats(true)
                         .set_attn_scale(operation.score_scale);
    const auto [out, log_sum_exp] = graph_.sdpa(input(operation, 0), input(operation, 1), input(operation, 2), how);
    result(operation, 0, out);
    result(operation, 1, log_sum_exp);
  }

  void attention_gradient(const OperationDescription& operation) {
    const auto how = frontend::graph::SDPA_backward_attributes()
                         .set_name("attention_gradient")
                         .set_attn_scale(operation.score_scale)
                         .set_deterministic_algorithm(true);
    const auto gradients = graph_.sdpa_backward(input(operation, 0), input(operation, 1), input(operation, 2),
                                                input(operation, 3), input(operation, 4), input(operation, 5), how);
    for (std::size_t i = 0; i < gradients.size(); ++i) result(operation, i, gradients[i]);
  }

  const GraphDescription& description_;
  Graph& graph_;
  std::vector<Tensor> tensors_;
};

// --- engines -------------------------------------------------------------------------------------------------------

/// The notes of one kind that cuDNN attaches to the engine of a configuration.
template <typename Note>
std::vector<Note> notes(cudnnBackendDescriptor_t engine, cudnnBackendAttributeName_t attribute,
                        cudnnBackendAttributeType_t type) {
  std::vector<Note> all(32);
  std::int64_t count = 0;
  const cudnnStatus_t status =
      cudnnBackendGetAttribute(engine, attribute, type, static_cast<std::int64_t>(all.size()), &count, all.data());
  all.resize(status == CUDNN_STATUS_SUCCESS ? static_cast<std::size_t>(count) : 0);
  return all;
}

void read_properties(const frontend::ManagedOpaqueDescriptor& configuration, CudnnEngine& engine) {
  const frontend::ManagedOpaqueDescriptor extracted =
      frontend::make_shared_backend_pointer(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t descriptor = extracted->get_backend_descriptor();
  std::int64_t count = 0;
  if (cudnnBackendGetAttribute(configuration->get_backend_descriptor(), CUDNN_ATTR_ENGINECFG_ENGINE,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &descriptor) != CUDNN_STATUS_SUCCESS) {
    engine.not_deterministic = true;  // nothing is known of it, so it is not trusted
    return;
  }
  for (const auto note :
       notes<cudnnBackendNumericalNote_t>(descriptor, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE)) {
    engine.not_deterministic |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    engine.tensor_cores |= note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    engine.reduced_precision |=
        note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS || note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    engine.transformed |= note == CUDNN_NUMERICAL_NOTE_FFT || note == CUDNN_NUMERICAL_NOTE_WINOGRAD ||
                          note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4 ||
                          note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 ||
                          note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13;
  }
  for (const auto note :
       notes<cudnnBackendBehaviorNote_t>(descriptor, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE)) {
    engine.compiled_at_run_time |= note == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
  }
  // CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE: headers before 9.2 lack the name, and libraries before it refuse the number.
  constexpr auto workspace_size = static_cast<cudnnBackendAttributeName_t>(303);
#if CUDNN_VERSION >= 90200
  static_assert(workspace_size == CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE);
#endif
  std::int64_t bytes = 0;
  if (cudnnBackendGetAttribute(configuration->get_backend_descriptor(), workspace_size, CUDNN_TYPE_INT64, 1, &count,
                               &bytes) == CUDNN_STATUS_SUCCESS) {
    engine.workspace_bytes = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 0));
  }
}

class FrontendGraph final : public CudnnGraph {
 public:
  FrontendGraph(GraphDescription description, const CudnnTarget& target)
      : description_(std::move(description)), handle_(target.handle) {
    if (target.handle == nullptr) describe_device(target);
  }

  /// Translates and asks for engines.
  void ask() {
    graph_.set_io_data_type(frontend::DataType_t::FLOAT)
        .set_intermediate_data_type(frontend::DataType_t::FLOAT)
        .set_compute_data_type(frontend::DataType_t::FLOAT);
    Translation translation(description_, graph_);
    for (const OperationDescription& operation : description_.operations) translation.add(operation);
    check(graph_.validate(), description_, "refuses the graph");
    check(graph_.build_operation_graph(handle_), description_, "refuses the graph");
    std::string reason = "it proposes none";
    for (const auto& [mode, name] : {std::pair(frontend::HeurMode_t::A, "A"), std::pair(frontend::HeurMode_t::B, "B"),
                                     std::pair(frontend::HeurMode_t::FALLBACK, "FALLBACK")}) {
      frontend::error_t status = graph_.create_execution_plans({mode});
      if (status.is_bad()) reason = status.get_message();
      note_new_engines(name);
    }
    if (engines_.empty()) refuse(description_, "has no engine for the graph", reason);
  }

  /// The plan that contents() wrote.
  void load(const std::vector<std::uint8_t>& contents) {
    check(handle_ == nullptr ? graph_.deserialize(contents, true) : graph_.deserialize(handle_, contents, true, false),
          description_, "cannot use a kept plan");
    engines_.emplace_back();
    plans_.push_back(0);
  }

  const std::vector<CudnnEngine>& engines() const override { return engines_; }

  void build(std::size_t engine) override {
    guarded(description_, "cannot build a plan",
            [&] { check(graph_.build_plan_at_index(plans_.at(engine)), description_, "cannot build a plan"); });
  }

  std::size_t workspace_bytes(std::size_t engine) const override {
    std::int64_t bytes = 0;
    check(graph_.get_workspace_size_plan_at_index(plans_.at(engine), bytes), description_,
          "does not know its workspace");
    return static_cast<std::size_t>(std::max<std::int64_t>(bytes, 0));
  }

  void execute(std::size_t engine, std::span<void* const> tensors, void* workspace, cudaStream_t stream) override {
    guarded(description_, "failed", [&] {
      cudaStream_t current = nullptr;
      if (cudnnGetStream(handle_, &current) != CUDNN_STATUS_SUCCESS || current != stream) {
        const cudnnStatus_t status = cudnnSetStream(handle_, stream);
        if (status != CUDNN_STATUS_SUCCESS) refuse(description_, "failed", cudnnGetErrorString(status));
      }
      // cudnn-frontend wants the tensors that have memory, in the order of their numbers.
      std::vector<void*> pointers;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (!description_.tensors.at(i).is_virtual) pointers.push_back(tensors[i]);
      }
      check(graph_.execute_plan_at_index(handle_, pointers.data(), static_cast<int>(pointers.size()), workspace,
                                         plans_.at(engine)),
            description_, "failed");
    });
  }

  std::vector<std::uint8_t> contents(std::size_t engine) override {
    return guarded(description_, "cannot keep a plan", [&] {
      std::vector<std::uint8_t> bytes;
      graph_.select(plans_.at(engine));
      check(graph_.serialize(bytes, false), description_, "cannot keep a plan");
      return bytes;
    });
  }

 private:
  void describe_device(const CudnnTarget& target) {
    const auto properties = std::make_shared<frontend::DeviceProperties>();
    const std::vector<std::uint8_t> text(target.device_properties.begin(), target.device_properties.end());
    check(properties->deserialize(text), description_, "refuses the described device");
    graph_.set_device_properties(properties);
    graph_.set_sm_version(target.compute_capability);  // before any node, each of which keeps a copy
  }

  /// Takes up the configurations that are new since the last call, each engine and configuration once.
  void note_new_engines(const std::string& mode) {
    const frontend::EngineConfigList configurations = graph_.configurations();
    for (; asked_ < configurations.size(); ++asked_) {
      CudnnEngine engine;
      const auto plan = static_cast<std::int64_t>(asked_);
      if (graph_.get_plan_name_at_index(plan, engine.identity).is_bad()) continue;
      const bool known = std::any_of(engines_.begin(), engines_.end(),
                                     [&](const CudnnEngine& other) { return other.identity == engine.identity; });
      if (known) continue;
      engine.mode = mode;
      read_properties(configurations[asked_], engine);
      engines_.push_back(std::move(engine));
      plans_.push_back(plan);
    }
  }

  GraphDescription description_;
  cudnnHandle_t handle_;
  Graph graph_;
  std::vector<CudnnEngine> engines_;
  std::vector<std::int64_t> plans_;  // number of each engine's plan in graph_
  std::size_t asked_ = 0;            // configurations of graph_ seen so far
};

}  // namespace

bool may_be_used(const CudnnEngine& engine, const GraphDescription& graph) {
  if (engine.not_deterministic || engine.reduced_precision || engine.transformed) return false;
  const bool float32 =
      graph.tensors.at(static_cast<std::size_t>(graph.operations.at(0).inputs.at(0))).type == Type::float32;
  return !(float32 && graph.products == ProductPrecision::exact && engine.tensor_cores);
}

std::unique_ptr<CudnnGraph> make_cudnn_graph(const GraphDescription& graph, const CudnnTarget& target) {
  return guarded(graph, "refuses the graph", [&]() -> std::unique_ptr<CudnnGraph> {
    auto made = std::make_unique<FrontendGraph>(graph, target);
    made->ask();
    return made;
  });
}

std::unique_ptr<CudnnGraph> load_cudnn_graph(const GraphDescription& graph, const CudnnTarget& target,
                                             const std::vector<std::uint8_t>& contents) {
  return guarded(graph, "cannot use a kept plan", [&]() -> std::unique_ptr<CudnnGraph> {
    auto made = std::make_unique<FrontendGraph>(graph, target);
    made->load(contents);
    return made;
  });
}

}  // namespace blindspot::cuda
