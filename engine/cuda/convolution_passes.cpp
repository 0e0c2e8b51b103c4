// Implementation of convolution_passes.h.
#include "engine/cuda/convolution_passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
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
      : plan_(device.libraries().plan(graph, device.workspace_limit())),
        memory_(graph.tensors.size()),
        from_(static_cast<std::size_t>(graph.operations.front().inputs.front())),
        to_(static_cast<std::size_t>(graph.operations.back().outputs.front())) {
    for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].name == residual_name) residual_ = &memory_[i];
      if (graph.tensors[i].name == bias_name) bias_ = &memory_[i];
      if (graph.tensors[i].name == mask_name) mask_ = &memory_[i];
    }
  }

  std::string identity() const { return plan_->identity(); }
  std::size_t workspace_bytes() const { return plan_->workspace_bytes(); }

  void run(const PassArrays& arrays, void* output, void* workspace, cudaStream_t stream) {
    memory_[from_] = const_cast<void*>(arrays.input);
    memory_[filter_place] = const_cast<void*>(arrays.weight);
    memory_[to_] = output;
    if (residual_ != nullptr) *residual_ = output;
    if (bias_ != nullptr) *bias_ = const_cast<float*>(arrays.bias);
    if (mask_ != nullptr) *mask_ = arrays.mask;
    plan_->execute(memory_, plan_->workspace_bytes() == 0 ? nullptr : workspace, stream);
  }

 private:
  std::unique_ptr<GraphPlan> plan_;
  std::vector<void*> memory_;
  std::size_t from_, to_;  // places of what is convolved and of what comes of it
  void** residual_ = nullptr;
  void** bias_ = nullptr;
  void** mask_ = nullptr;
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
    graph_.run(arrays, own, workspace(scratch), stream);
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

/// The gradient, as cuDNN's own or as a convolution with the turned weights; adding and masking in its graph, or by a
/// kernel after it.
class LibraryGradient final : public LibraryPass {
 public:
  LibraryGradient(CudaDevice& device, const ConvolutionDescription& d, const GraphDescription& graph, bool turned,
                  bool fused)
      : LibraryPass(device, graph, {d.batch, d.height, d.width, d.in_channels}, d.accumulate_gradient && !fused),
        turned_(turned),
        fused_(fused) {}

  bool wants_turned_weight() const override { return turned_; }

  void run(const PassArrays& arrays, std::byte* scratch, cudaStream_t stream) override {
    void* const own = own_output(arrays, scratch);
    graph_.run(arrays, own, workspace(scratch), stream);
    if (fused_ || (!has_own_output_ && arrays.mask == nullptr)) return;
    check(kernels::masked_sum(own, has_own_output_ ? arrays.output : nullptr, arrays.mask, arrays.output,
                              element_of(type_), output_.count(), stream),
          "masked_sum");
  }

 private:
  bool turned_, fused_;
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

/// One way to do a pass: what it is called, and how it is made ready.
struct PassWay {
  std::string name;
  std::function<std::unique_ptr<ConvolutionPass>()> make;
};

kernels::PointwiseSizes pointwise_sizes(const ConvolutionDescription& d, bool backward) {
  kernels::PointwiseSizes sizes = {d.batch * d.height * d.width, d.in_channels, d.out_channels};
  if (backward) std::swap(sizes.in_channels, sizes.out_channels);
  return sizes;
}

/// Whether float32 products may not be formed by tensor cores.
bool is_exact(const CudaDevice& device) {
  return device.activation_type() == Type::float32 && device.product_precision() == ProductPrecision::exact;
}

/// Whether the kernel for 1×1 taps can take the products.
bool takes_pointwise(const CudaDevice& device, const ConvolutionDescription& d, bool backward) {
  return !is_exact(device) && d.kernel_height == 1 && d.kernel_width == 1 && d.stride == 1 &&
         std::max({d.pad_top, d.pad_left, d.pad_bottom, d.pad_right}) == 0 &&
         kernels::takes_pointwise(pointwise_sizes(d, backward), device.shared_memory_limit());
}

void add_pointwise(std::vector<PassWay>& ways, CudaDevice& device, const ConvolutionDescription& d, bool backward) {
  const kernels::PointwiseSizes sizes = pointwise_sizes(d, backward);
  ways.push_back({fmt::format("kernel {}", kernels::pointwise_revision), [&device, d, sizes, backward] {
                    return std::make_unique<PointwisePass>(device, sizes, backward, d);
                  }});
}

/// The first of the ways has to be there; cuDNN may lack others.
std::vector<PassWay> forward_ways(CudaDevice& device, const ConvolutionDescription& d) {
  const Geometry geometry = geometry_of(d);
  const Type type = device.activation_type();
  const ProductPrecision products = device.product_precision();
  std::vector<PassWay> ways;
  ways.push_back({"cuDNN and an epilogue", [&device, d, graph = plain_graph(geometry, type, products)] {
                    return std::make_unique<LibraryForward>(device, d, graph, false);
                  }});
  const auto add_fused = [&](const char* name, const Epilogue& epilogue) {
    ways.push_back({name, [&device, d, graph = fused_graph(geometry, type, products, epilogue)] {
                      return std::make_unique<LibraryForward>(device, d, graph, true);
                    }});
  };
  Epilogue epilogue = {.residual = d.accumulate, .bias = true, .relu = d.relu};
  add_fused("cuDNN, fused", epilogue);
  epilogue.bias_first = true;
  if (epilogue.residual) add_fused("cuDNN, fused, bias first", epilogue);
  if (takes_pointwise(device, d, false)) add_pointwise(ways, device, d, false);
  return ways;
}

/// cuDNN's gradient, or where the stride is 1 its convolution with the turned weights, which for float32 has better
/// kernels; each with the adding and masking in its graph or after it. A fused graph's plans are compiled at run time,
/// a second or so each: they are left out where the kernel for 1×1 taps does it all. So is the fused gradient of exact
/// products, of which cuDNN 9.19 has one without tensor cores, that does not compile for every shape.
std::vector<PassWay> gradient_ways(CudaDevice& device, const ConvolutionDescription& d) {
  const Geometry geometry = geometry_of(d);
  const Geometry turned = turned_geometry(geometry);
  const Type type = device.activation_type();
  const ProductPrecision products = device.product_precision();
  std::vector<PassWay> ways;
  const auto add = [&](const char* name, GraphDescription graph, bool is_turned, bool is_fused) {
    ways.push_back({name, [&device, d, graph = std::move(graph), is_turned, is_fused] {
                      return std::make_unique<LibraryGradient>(device, d, graph, is_turned, is_fused);
                    }});
  };
  const Epilogue epilogue = {.residual = d.accumulate_gradient, .mask = d.mask_gradient};
  // A pixel's bits have to fill whole bytes.
  const bool has_kernel = takes_pointwise(device, d, true);
  const bool fuses = !has_kernel && (epilogue.residual || epilogue.mask) && (!epilogue.mask || d.in_channels % 8 == 0);
  add("cuDNN's gradient", gradient_graph(geometry, type, products), false, false);
  if (fuses && !is_exact(device))
    add("cuDNN's gradient, fused", fused_gradient_graph(geometry, type, products, epilogue), false, true);
  if (geometry.stride == 1 && std::min({turned.pad_top, turned.pad_left, turned.pad_bottom, turned.pad_right}) >= 0) {
    add("cuDNN, turned", plain_graph(turned, type, products), true, false);
    if (fuses) add("cuDNN, turned and fused", fused_graph(turned, type, products, epilogue), true, true);
  }
  if (has_kernel) add_pointwise(ways, device, d, true);
  return ways;
}

/// Arrays of a trial, in the order of PassArrays: the same image in every slot of the batch.
std::vector<TrialArray> trial_arrays(const CudaDevice& device, const ConvolutionDescription& d, bool backward) {
  const Type type = device.activation_type();
  const auto batch = static_cast<std::size_t>(d.batch);
  const auto x_image = static_cast<std::size_t>(d.height * d.width * d.in_channels);
  const auto y_image = static_cast<std::size_t>(d.out_height() * d.out_width() * d.out_channels);
  const std::size_t from = backward ? y_image : x_image;
  const std::size_t to = backward ? x_image : y_image;
  const auto weights = static_cast<std::size_t>(d.out_channels * d.kernel_height * d.kernel_width * d.in_channels);
  const std::size_t biases = backward ? 0 : static_cast<std::size_t>(d.out_channels);
  const bool has_mask = backward ? d.mask_gradient : d.relu;
  // A mask's bytes repeat where an image ends with one; else nothing that comes of it does.
  const bool repeats = !has_mask || to % 8 == 0;
  const std::size_t size = element_bytes(type);
  return {{type, batch * from * size, false, from * size, -1},
          {type, weights * size, false, 0, -1},
          {Type::float32, biases * sizeof(float), false, 0, -1},
          {type, batch * to * size, true, repeats ? to * size : 0, -1},
          {Type::mask, has_mask ? (batch * to + 7) / 8 : 0, !backward, repeats ? to / 8 : 0, -1}};
}

PassArrays pass_arrays(std::span<void* const> at) {
  return {at[0], at[1], static_cast<const float*>(at[2]), at[3], static_cast<std::uint8_t*>(at[4])};
}

/// All that decides which of the ways is the fastest, and what their numbers mean.
std::string text_of(const CudaDevice& device, const ConvolutionDescription& d, bool backward,
                    const std::vector<PassWay>& ways) {
  std::string text = fmt::format(
      "a convolution's {} [{}, {}, {}, {}] with {} x {} taps to {} channels, stride {}, padding {} {} {} {}{}{}, {}, "
      "workspace at most {}, among",
      backward ? "gradient" : "forward pass", d.batch, d.height, d.width, d.in_channels, d.kernel_height,
      d.kernel_width, d.out_channels, d.stride, d.pad_top, d.pad_left, d.pad_bottom, d.pad_right,
      (backward ? d.accumulate_gradient : d.accumulate) ? ", added" : "",
      (backward ? d.mask_gradient : d.relu) ? ", relu" : "", to_string(device.precision()), device.workspace_limit());
  for (const PassWay& way : ways) text += fmt::format("; {}", way.name);
  return text;
}

std::unique_ptr<ConvolutionPass> fastest_pass(CudaDevice& device, const ConvolutionDescription& description,
                                              bool backward, const std::vector<PassWay>& ways) {
  if (ways.size() == 1) return ways.front().make();
  std::vector<std::unique_ptr<ConvolutionPass>> passes(ways.size());
  const auto make = [&](std::size_t number) -> ConvolutionPass& {
    if (!passes[number]) passes[number] = ways[number].make();
    return *passes[number];
  };
  std::vector<WayMaker> makers;
  for (std::size_t number = 0; number < ways.size(); ++number) {
    makers.emplace_back([&make, number]() -> Way {
      ConvolutionPass& pass = make(number);
      return {pass.scratch_bytes(), [&pass](std::span<void* const> at, void* scratch, cudaStream_t stream) {
                pass.run(pass_arrays(at), static_cast<std::byte*>(scratch), stream);
              }};
    });
  }
  const std::size_t best = device.libraries().fastest(text_of(device, description, backward, ways),
                                                      trial_arrays(device, description, backward), makers);
  make(best);
  return std::move(passes[best]);
}

}  // namespace

std::unique_ptr<ConvolutionPass> forward_pass(CudaDevice& device, const ConvolutionDescription& description) {
  return fastest_pass(device, description, false, forward_ways(device, description));
}

std::unique_ptr<ConvolutionPass> gradient_pass(CudaDevice& device, const ConvolutionDescription& description) {
  return fastest_pass(device, description, true, gradient_ways(device, description));
}

}  // namespace blindspot::cuda
