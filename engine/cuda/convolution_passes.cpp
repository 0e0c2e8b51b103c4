// Implementation of convolution_passes.h.
#include "engine/cuda/convolution_passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "engine/cuda/convolution_graphs.h"
#include "kernels/convolution_epilogue.cuh"
#include "kernels/masked_sum.cuh"
#include "kernels/pointwise_convolution.cuh"
#include "kernels/relu.cuh"

namespace blindspot::cuda {
namespace {

constexpr std::size_t alignment = 256;

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// A plan, and the memory of its graph's tensors: a residual lies where the output goes.
class PreparedGraph {
 public:
  PreparedGraph(CudaDevice& device, const GraphDescription& graph)
      : plan_(device.libraries().plan(graph, device.workspace_limit())), memory_(graph.tensors.size()) {
    for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].name == residual_name) residual_ = &memory_[i];
      if (graph.tensors[i].name == bias_name) bias_ = &memory_[i];
    }
  }

  std::string identity() const { return plan_->identity(); }
  std::size_t workspace_bytes() const { return plan_->workspace_bytes(); }

  void run(const void* input, const void* filter, void* output, const float* bias, void* workspace,
           cudaStream_t stream) {
    memory_[input_place] = const_cast<void*>(input);
    memory_[filter_place] = const_cast<void*>(filter);
    memory_[output_place] = output;
    if (residual_ != nullptr) *residual_ = output;
    if (bias_ != nullptr) *bias_ = const_cast<float*>(bias);
    plan_->execute(memory_, plan_->workspace_bytes() == 0 ? nullptr : workspace, stream);
  }

 private:
  std::unique_ptr<GraphPlan> plan_;
  std::vector<void*> memory_;
  void** residual_ = nullptr;
  void** bias_ = nullptr;
};

/// What both ways through cuDNN share. Scratch memory: first what the graph writes where that is not the output, then
/// the plan's workspace.
class LibraryPass : public ConvolutionPass {
 public:
  std::string identity() const override { return graph_.identity(); }
  std::size_t scratch_bytes() const override {
    return (has_own_output_ ? aligned(output_bytes()) : 0) + graph_.workspace_bytes();
  }

 protected:
  LibraryPass(CudaDevice& device, const GraphDescription& graph, const Shape& output, bool has_own_output)
      : device_(device),
        graph_(device, graph),
        output_(output),
        has_own_output_(has_own_output),
        type_(device.activation_type()) {}

  void* own_output(const PassArrays& arrays, std::byte* scratch) const {
    return has_own_output_ ? scratch : arrays.output;
  }
  std::byte* workspace(std::byte* scratch) const {
    return has_own_output_ ? scratch + aligned(output_bytes()) : scratch;
  }
  std::size_t output_bytes() const { return static_cast<std::size_t>(output_.count()) * element_bytes(type_); }
  void check(cudaError_t status, const char* kernel) const {
    if (status != cudaSuccess) device_.check(status, fmt::format("{} {}", kernel, output_.text()));
  }

  CudaDevice& device_;
  PreparedGraph graph_;
  Shape output_;
  bool has_own_output_;
  Type type_;
};

/// The graph with residual, bias and ReLU, and a kernel that reads the ReLU's bits off y; or the convolution alone, and
/// a kernel for all the rest.
class LibraryForward final : public LibraryPass {
 public:
  LibraryForward(CudaDevice& device, const ConvolutionDescription& d, const GraphDescription& graph, bool fused)
      : LibraryPass(device, graph, {d.batch, d.out_height(), d.out_width(), d.out_channels}, !fused && d.accumulate),
        fused_(fused),
        accumulate_(d.accumulate) {}

  bool wants_turned_weight() const override { return false; }

  void run(const PassArrays& arrays, std::byte* scratch, cudaStream_t stream) override {
    void* const own = own_output(arrays, scratch);
    graph_.run(arrays.input, arrays.weight, own, arrays.bias, workspace(scratch), stream);
    const kernels::Element element = element_of(type_);
    if (!fused_) {
      check(kernels::convolution_epilogue(own, accumulate_ ? arrays.output : nullptr, arrays.bias, arrays.output,
                                          arrays.mask, element, {output_.count(), output_.last()}, stream),
            "convolution_epilogue");
    } else if (arrays.mask != nullptr) {
      check(kernels::relu_mask(arrays.output, arrays.mask, element, output_.count(), stream), "relu_mask");
    }
  }

 private:
  bool fused_, accumulate_;
};

/// The gradient, as cuDNN's own or as a convolution with the turned weights, and a kernel that adds and masks.
class LibraryGradient final : public LibraryPass {
 public:
  LibraryGradient(CudaDevice& device, const ConvolutionDescription& d, const GraphDescription& graph, bool turned,
                  bool adds)
      : LibraryPass(device, graph, {d.batch, d.height, d.width, d.in_channels}, d.accumulate_gradient && !adds),
        turned_(turned) {}

  bool wants_turned_weight() const override { return turned_; }

  void run(const PassArrays& arrays, std::byte* scratch, cudaStream_t stream) override {
    void* const own = own_output(arrays, scratch);
    if (turned_) {
      graph_.run(arrays.input, arrays.weight, own, nullptr, workspace(scratch), stream);
    } else {
      // The graph's "x" is what it writes, and its "y" what it reads.
      graph_.run(own, arrays.weight, const_cast<void*>(arrays.input), nullptr, workspace(scratch), stream);
    }
    if (!has_own_output_ && arrays.mask == nullptr) return;
    check(kernels::masked_sum(own, has_own_output_ ? arrays.output : nullptr, arrays.mask, arrays.output,
                              element_of(type_), output_.count(), stream),
          "masked_sum");
  }

 private:
  bool turned_;
};

/// Either direction of a convolution with 1×1 taps, in one kernel.
class PointwisePass final : public ConvolutionPass {
 public:
  PointwisePass(CudaDevice& device, const kernels::PointwiseSizes& sizes, bool backward,
                const ConvolutionDescription& d)
      : device_(device),
        sizes_(sizes),
        backward_(backward),
        accumulate_(backward ? d.accumulate_gradient : d.accumulate),
        name_(fmt::format("kernel {} for a 1x1 convolution's {} [{}, {}, {}, {}] to {} channels",
                          kernels::pointwise_revision, backward ? "gradient" : "forward pass", d.batch, d.height,
                          d.width, sizes.in_channels, sizes.out_channels)) {}

  std::string identity() const override { return name_; }
  bool wants_turned_weight() const override { return backward_; }
  std::size_t scratch_bytes() const override { return 0; }

  void run(const PassArrays& arrays, std::byte*, cudaStream_t stream) override {
    kernels::PointwiseEpilogue epilogue;
    epilogue.accumulate = accumulate_;
    epilogue.bias = arrays.bias;
    if (backward_) {
      epilogue.masked = arrays.mask;
    } else {
      epilogue.relu_mask = arrays.mask;
    }
    device_.check(kernels::pointwise_convolution(arrays.input, arrays.weight, arrays.output,
                                                 element_of(device_.activation_type()), sizes_, epilogue, stream),
                  name_);
  }

 private:
  CudaDevice& device_;
  kernels::PointwiseSizes sizes_;
  bool backward_, accumulate_;
  std::string name_;
};

std::unique_ptr<ConvolutionPass> library_forward(CudaDevice& device, const ConvolutionDescription& description) {
  const Geometry geometry = geometry_of(description);
  const Type type = device.activation_type();
  const ProductPrecision products = device.product_precision();
  const GraphDescription graph =
      fused_graph(geometry, type, products, {description.accumulate, true, description.relu});
  const bool fused = device.libraries().supports(graph);
  return std::make_unique<LibraryForward>(device, description, fused ? graph : plain_graph(geometry, type, products),
                                          fused);
}

/// As a forward convolution where the stride is 1 and elements are float32, for which cuDNN has better kernels so, and
/// which can add what dx holds; otherwise as cuDNN's gradient.
std::unique_ptr<ConvolutionPass> library_gradient(CudaDevice& device, const ConvolutionDescription& description) {
  const Geometry geometry = geometry_of(description);
  const Geometry turned = turned_geometry(geometry);
  const Type type = device.activation_type();
  const ProductPrecision products = device.product_precision();
  const bool as_convolution = type == Type::float32 && geometry.stride == 1 &&
                              std::min({turned.pad_top, turned.pad_left, turned.pad_bottom, turned.pad_right}) >= 0;
  if (!as_convolution) {
    return std::make_unique<LibraryGradient>(device, description, gradient_graph(geometry, type, products), false,
                                             false);
  }
  const GraphDescription adding = fused_graph(turned, type, products, {true, false, false});
  const bool adds = description.accumulate_gradient && device.libraries().supports(adding);
  return std::make_unique<LibraryGradient>(device, description, adds ? adding : plain_graph(turned, type, products),
                                           true, adds);
}

/// Whether the kernel for 1×1 taps can take the products `from` channels `to` channels.
bool is_pointwise(const CudaDevice& device, const ConvolutionDescription& d, const kernels::PointwiseSizes& sizes) {
  const bool exact = device.activation_type() == Type::float32 && device.product_precision() == ProductPrecision::exact;
  return !exact && d.kernel_height == 1 && d.kernel_width == 1 && d.stride == 1 &&
         std::max({d.pad_top, d.pad_left, d.pad_bottom, d.pad_right}) == 0 &&
         kernels::takes_pointwise(sizes, device.shared_memory_limit());
}

/// Arrays of a trial of a 1×1 convolution, in the order of PassArrays: the same image in every slot of the batch.
std::vector<TrialArray> trial_arrays(const CudaDevice& device, const ConvolutionDescription& d, bool backward) {
  const Type type = device.activation_type();
  const auto image = [&](std::int64_t channels) {
    return static_cast<std::size_t>(d.height * d.width * channels) * element_bytes(type);
  };
  const auto batch = static_cast<std::size_t>(d.batch);
  const auto to_channels = static_cast<std::size_t>(backward ? d.in_channels : d.out_channels);
  const std::size_t from_image = image(backward ? d.out_channels : d.in_channels);
  const std::size_t to_image = image(static_cast<std::int64_t>(to_channels));
  const std::size_t mask_image = to_image / element_bytes(type) / 8;
  const std::size_t weight_bytes = static_cast<std::size_t>(d.in_channels * d.out_channels) * element_bytes(type);
  const bool has_mask = backward ? d.mask_gradient : d.relu;
  return {{type, batch * from_image, false, from_image, -1},
          {type, weight_bytes, false, 0, -1},
          {Type::float32, backward ? 0 : to_channels * sizeof(float), false, 0, -1},
          {type, batch * to_image, true, to_image, -1},
          {Type::mask, has_mask ? batch * mask_image : 0, !backward, mask_image, -1}};
}

PassArrays pass_arrays(std::span<void* const> at) {
  return {at[0], at[1], static_cast<const float*>(at[2]), at[3], static_cast<std::uint8_t*>(at[4])};
}

std::string text_of(const CudaDevice& device, const ConvolutionDescription& d, bool backward) {
  const bool accumulate = backward ? d.accumulate_gradient : d.accumulate;
  const bool mask = backward ? d.mask_gradient : d.relu;
  return fmt::format(
      "ways of a 1x1 convolution's {} [{}, {}, {}, {}] and {} channels{}{}, {}, workspace at most {}, kernel {}",
      backward ? "gradient" : "forward pass", d.batch, d.height, d.width, d.in_channels, d.out_channels,
      accumulate ? ", added" : "", mask ? ", relu" : "", to_string(device.precision()), device.workspace_limit(),
      kernels::pointwise_revision);
}

using PassMaker = std::unique_ptr<ConvolutionPass> (*)(CudaDevice& device, const ConvolutionDescription& description);

/// The faster of cuDNN's pass and the kernel's.
std::unique_ptr<ConvolutionPass> faster_pass(CudaDevice& device, const ConvolutionDescription& description,
                                             bool backward, PassMaker library_pass,
                                             const kernels::PointwiseSizes& sizes) {
  std::array<std::unique_ptr<ConvolutionPass>, 2> passes;
  const auto make = [&](std::size_t number) -> ConvolutionPass& {
    std::unique_ptr<ConvolutionPass>& pass = passes.at(number);
    if (pass) return *pass;
    if (number == 0) {
      pass = library_pass(device, description);
    } else {
      pass = std::make_unique<PointwisePass>(device, sizes, backward, description);
    }
    return *pass;
  };
  std::vector<WayMaker> ways;
  for (std::size_t number = 0; number < passes.size(); ++number) {
    ways.emplace_back([&make, number]() -> Way {
      ConvolutionPass& pass = make(number);
      return {pass.scratch_bytes(), [&pass](std::span<void* const> at, void* scratch, cudaStream_t stream) {
                pass.run(pass_arrays(at), static_cast<std::byte*>(scratch), stream);
              }};
    });
  }
  const std::size_t best = device.libraries().fastest(text_of(device, description, backward),
                                                      trial_arrays(device, description, backward), ways);
  make(best);
  return std::move(passes.at(best));
}

}  // namespace

std::unique_ptr<ConvolutionPass> forward_pass(CudaDevice& device, const ConvolutionDescription& d) {
  const kernels::PointwiseSizes sizes = {d.batch * d.height * d.width, d.in_channels, d.out_channels};
  if (is_pointwise(device, d, sizes)) return faster_pass(device, d, false, library_forward, sizes);
  return library_forward(device, d);
}

std::unique_ptr<ConvolutionPass> gradient_pass(CudaDevice& device, const ConvolutionDescription& d) {
  const kernels::PointwiseSizes sizes = {d.batch * d.height * d.width, d.out_channels, d.in_channels};
  if (is_pointwise(device, d, sizes)) return faster_pass(device, d, true, library_gradient, sizes);
  return library_gradient(device, d);
}

}  // namespace blindspot::cuda
