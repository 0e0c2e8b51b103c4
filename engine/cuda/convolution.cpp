// Convolution of the CUDA device by cuDNN: forward with residual, bias and ReLU in one graph where cuDNN has it,
// otherwise followed by a kernel; the input gradient followed by a kernel that adds and masks. The ReLU's bits are
// taken from y.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/operand.h"
#include "engine/prepared_work.h"
#include "kernels/convolution_epilogue.cuh"
#include "kernels/masked_sum.cuh"
#include "kernels/relu.cuh"

namespace blindspot::cuda {
namespace {

/// A convolution as cuDNN sees it; also one that is not asked for in itself, as a gradient written as a convolution.
struct Geometry {
  std::int64_t batch, height, width, in_channels, out_height, out_width, out_channels;
  std::int64_t kernel_height, kernel_width, stride, pad_top, pad_left, pad_bottom, pad_right;
};

Geometry geometry_of(const ConvolutionDescription& d) {
  return {d.batch,         d.height,       d.width,  d.in_channels, d.out_height(), d.out_width(), d.out_channels,
          d.kernel_height, d.kernel_width, d.stride, d.pad_top,     d.pad_left,     d.pad_bottom,  d.pad_right};
}

/// The input gradient of a stride-1 convolution: dy convolved with the kernel turned by half a turn, channels swapped.
Geometry turned_geometry(const Geometry& forward) {
  Geometry turned = forward;
  std::swap(turned.height, turned.out_height);
  std::swap(turned.width, turned.out_width);
  std::swap(turned.in_channels, turned.out_channels);
  turned.pad_top = forward.kernel_height - 1 - forward.pad_top;
  turned.pad_left = forward.kernel_width - 1 - forward.pad_left;
  turned.pad_bottom = forward.kernel_height - 1 - forward.pad_bottom;
  turned.pad_right = forward.kernel_width - 1 - forward.pad_right;
  return turned;
}

/// [K, R, S, C] → [C, R, S, K], rows and columns of the kernel in reverse.
std::vector<float> turned_weight(std::span<const float> weight, const Geometry& forward) {
  std::vector<float> result(weight.size());
  const std::int64_t taps = forward.kernel_height * forward.kernel_width;
  for (std::int64_t k = 0; k < forward.out_channels; ++k) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t c = 0; c < forward.in_channels; ++c) {
        const std::int64_t from = (k * taps + tap) * forward.in_channels + c;
        const std::int64_t to = (c * taps + taps - 1 - tap) * forward.out_channels + k;
        result[static_cast<std::size_t>(to)] = weight[static_cast<std::size_t>(from)];
      }
    }
  }
  return result;
}

/// Channels-last; dimensions in cuDNN's order.
TensorDescription tensor(std::string name, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, Type type) {
  return {std::move(name), {n, c, h, w}, {h * w * c, 1, w * c, c}, type, false};
}

// Places of the tensors that every graph below has.
constexpr int input_place = 0;
constexpr int filter_place = 1;
constexpr int output_place = 2;

GraphDescription convolution_graph(const Geometry& g, Type type, ProductPrecision products, const char* name,
                                   OperationKind kind) {
  GraphDescription graph;
  graph.name = fmt::format("{} [{}, {}, {}, {}] to [{}, {}, {}, {}] kernel {}x{} stride {}", name, g.batch, g.height,
                           g.width, g.in_channels, g.batch, g.out_height, g.out_width, g.out_channels, g.kernel_height,
                           g.kernel_width, g.stride);
  graph.products = products;
  graph.tensors = {tensor("x", g.batch, g.in_channels, g.height, g.width, type),
                   tensor("filter", g.out_channels, g.in_channels, g.kernel_height, g.kernel_width, type),
                   tensor("y", g.batch, g.out_channels, g.out_height, g.out_width, type)};
  OperationDescription convolution;
  convolution.kind = kind;
  convolution.inputs = {input_place, filter_place};
  convolution.outputs = {output_place};
  convolution.pad_before = {g.pad_top, g.pad_left};
  convolution.pad_after = {g.pad_bottom, g.pad_right};
  convolution.stride = {g.stride, g.stride};
  graph.operations = {convolution};
  return graph;
}

/// y = x ⋆ w, nothing else.
GraphDescription plain_graph(const Geometry& geometry, Type type, ProductPrecision products) {
  return convolution_graph(geometry, type, products, "convolution", OperationKind::convolution_forward);
}

/// dx = dy ⋆ᵀ w.
GraphDescription gradient_graph(const Geometry& geometry, Type type, ProductPrecision products) {
  GraphDescription graph =
      convolution_graph(geometry, type, products, "convolution's gradient", OperationKind::convolution_input_gradient);
  graph.tensors[input_place].name = "dx";
  graph.tensors[output_place].name = "dy";
  std::swap(graph.operations[0].inputs[0], graph.operations[0].outputs[0]);
  return graph;
}

struct Epilogue {
  bool residual = false, bias = false, relu = false;
};

/// y = relu?(x ⋆ w (+ residual) (+ bias)), in this order, for which cuDNN has the most kernels. The bias is float32:
/// rounded to bf16 it alone takes a trained ResNet-20's logits from 1.0e-2 off to 1.3e-2, beyond PyTorch's autocast.
GraphDescription fused_graph(const Geometry& geometry, Type type, ProductPrecision products, const Epilogue& epilogue) {
  GraphDescription graph = plain_graph(geometry, type, products);
  graph.name += fmt::format("{}{}{}", epilogue.residual ? " residual" : "", epilogue.bias ? " bias" : "",
                            epilogue.relu ? " relu" : "");
  const TensorDescription y = graph.tensors[output_place];
  const auto take = [&](TensorDescription tensor, std::string name) {
    tensor.name = std::move(name);
    graph.tensors.push_back(std::move(tensor));
    return static_cast<int>(graph.tensors.size()) - 1;
  };
  // What the last operation made becomes virtual, and the next one's first input.
  const auto append = [&](OperationKind kind, std::vector<int> others) {
    TensorDescription between = y;
    between.type = Type::float32;
    between.is_virtual = true;
    OperationDescription next;
    next.kind = kind;
    next.inputs = {take(between, fmt::format("between{}", graph.operations.size()))};
    next.inputs.insert(next.inputs.end(), others.begin(), others.end());
    next.outputs = std::exchange(graph.operations.back().outputs, {next.inputs[0]});
    graph.operations.push_back(next);
  };
  if (epilogue.residual) append(OperationKind::add, {take(y, "residual")});
  if (epilogue.bias)
    append(OperationKind::add, {take(tensor("", 1, geometry.out_channels, 1, 1, Type::float32), "bias")});
  if (epilogue.relu) append(OperationKind::relu, {});
  return graph;
}

/// A plan, and the memory of its graph's tensors: a residual lies where the output goes.
class PreparedGraph {
 public:
  PreparedGraph() = default;
  PreparedGraph(CudaDevice& device, const GraphDescription& graph)
      : plan_(device.libraries().plan(graph, device.workspace_limit())), memory_(graph.tensors.size()) {
    device.note_plan(plan_->identity());
    for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].name == "residual") residual_ = &memory_[i];
      if (graph.tensors[i].name == "bias") bias_ = &memory_[i];
    }
  }

  void run(CudaDevice& device, const Array& input, const Array& filter, const Array& output, const Array& bias) {
    memory_[input_place] = input.data();
    memory_[filter_place] = filter.data();
    memory_[output_place] = output.data();
    if (residual_ != nullptr) *residual_ = output.data();
    if (bias_ != nullptr) *bias_ = bias.data();
    cuda::run(device, *plan_, memory_);
  }

 private:
  std::unique_ptr<GraphPlan> plan_;
  std::vector<void*> memory_;
  void** residual_ = nullptr;
  void** bias_ = nullptr;
};

class CudaConvolution final : public Convolution {
 public:
  CudaConvolution(CudaDevice& device, const ConvolutionDescription& description, std::span<const float> weight,
                  std::span<const float> bias)
      : device_(device),
        description_(description),
        type_(device.activation_type()),
        element_(element_of(type_)),
        weight_(device.constant(
            weight,
            {description.out_channels, description.kernel_height, description.kernel_width, description.in_channels},
            type_)),
        bias_(device.constant(bias, {description.out_channels})) {
    prepare_forward();
    prepare_gradient(weight);
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& x, Array& y, Array* relu_mask) override {
    check(x, y);
    auto* const mask = description_.relu ? reinterpret_cast<std::uint8_t*>(relu_mask->data()) : nullptr;
    if (fused_) {
      forward_.run(device_, x, weight_, y, bias_);
      if (mask == nullptr) return;
      device_.launch("relu_mask", y,
                     [&] { return kernels::relu_mask(y.data(), mask, element_, y.shape().count(), device_.stream()); });
      return;
    }
    // The convolution by itself goes where the residual does not lie.
    const Array own = description_.accumulate ? device_.array(type_, y.shape()) : y.reshaped(y.shape());
    forward_.run(device_, x, weight_, own, bias_);
    device_.launch("convolution_epilogue", y, [&] {
      return kernels::convolution_epilogue(own.data(), description_.accumulate ? y.data() : nullptr,
                                           reinterpret_cast<const float*>(bias_.data()), y.data(), mask, element_,
                                           {y.shape().count(), y.shape().last()}, device_.stream());
    });
  }

  void input_gradient(const Array& dy, Array& dx, const Array* relu_mask) override {
    check(dx, dy);
    const auto* const mask =
        description_.mask_gradient ? reinterpret_cast<const std::uint8_t*>(relu_mask->data()) : nullptr;
    // What dx holds is added by the graph, or by the kernel that masks.
    const bool add = description_.accumulate_gradient && !adds_gradient_;
    const Array own = add ? device_.array(type_, dx.shape()) : dx.reshaped(dx.shape());
    if (turned_) {
      gradient_.run(device_, dy, turned_weight_, own, bias_);
    } else {
      gradient_.run(device_, own, weight_, dy, bias_);
    }
    if (!add && mask == nullptr) return;
    device_.launch("masked_sum", dx, [&] {
      return kernels::masked_sum(own.data(), add ? dx.data() : nullptr, mask, dx.data(), element_, dx.shape().count(),
                                 device_.stream());
    });
  }

 private:
  void prepare_forward() {
    const Geometry geometry = geometry_of(description_);
    const GraphDescription fused =
        fused_graph(geometry, type_, device_.product_precision(), {description_.accumulate, true, description_.relu});
    fused_ = device_.libraries().supports(fused);
    forward_ = PreparedGraph(device_, fused_ ? fused : plain_graph(geometry, type_, device_.product_precision()));
  }

  /// As a forward convolution where the stride is 1 and elements are float32, for which cuDNN has better kernels so,
  /// and which can add what dx holds; otherwise as cuDNN's gradient.
  void prepare_gradient(std::span<const float> weight) {
    const Geometry geometry = geometry_of(description_);
    const Geometry turned = turned_geometry(geometry);
    const ProductPrecision products = device_.product_precision();
    turned_ = type_ == Type::float32 && geometry.stride == 1 &&
              std::min({turned.pad_top, turned.pad_left, turned.pad_bottom, turned.pad_right}) >= 0;
    if (!turned_) {
      gradient_ = PreparedGraph(device_, gradient_graph(geometry, type_, products));
      return;
    }
    turned_weight_ = device_.constant(
        turned_weight(weight, geometry),
        {geometry.in_channels, geometry.kernel_height, geometry.kernel_width, geometry.out_channels}, type_);
    const GraphDescription adding = fused_graph(turned, type_, products, {true, false, false});
    adds_gradient_ = description_.accumulate_gradient && device_.libraries().supports(adding);
    gradient_ = PreparedGraph(device_, adds_gradient_ ? adding : plain_graph(turned, type_, products));
  }

  /// x or dx, y or dy.
  void check(const Array& input, const Array& output) const {
    const ConvolutionDescription& d = description_;
    if (input.type() == type_ && output.type() == type_ &&
        input.shape() == Shape{d.batch, d.height, d.width, d.in_channels} &&
        output.shape() == Shape{d.batch, d.out_height(), d.out_width(), d.out_channels}) {
      return;
    }
    throw Error(ErrorKind::fault, fmt::format("a convolution was not prepared for an input {} and an output {}",
                                              input.shape().text(), output.shape().text()));
  }

  CudaDevice& device_;
  ConvolutionDescription description_;
  Type type_;
  kernels::Element element_;
  Array weight_, bias_, turned_weight_;
  PreparedGraph forward_, gradient_;
  bool fused_ = false;          // forward_ ends in residual, bias and ReLU
  bool turned_ = false;         // gradient_ is a convolution with turned_weight_
  bool adds_gradient_ = false;  // gradient_ adds what dx holds
};

}  // namespace

std::unique_ptr<Convolution> CudaDevice::convolution(const ConvolutionDescription& description,
                                                     std::span<const float> weight, std::span<const float> bias) {
  const std::int64_t count =
      description.out_channels * description.kernel_height * description.kernel_width * description.in_channels;
  if (std::cmp_not_equal(weight.size(), count) || std::cmp_not_equal(bias.size(), description.out_channels)) {
    throw Error(ErrorKind::fault, fmt::format("a convolution needs {} weights and {} biases, not {} and {}", count,
                                              description.out_channels, weight.size(), bias.size()));
  }
  return std::make_unique<CudaConvolution>(*this, description, weight, bias);
}

}  // namespace blindspot::cuda
