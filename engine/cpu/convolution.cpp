// Convolution of the CPU device: forward by oneDNN with packed weights, the input gradient as a forward convolution
// with turned weights where that can be. What oneDNN does not fuse is one pass over the result.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/operand.h"
#include "engine/cpu/vector_kernels.h"
#include "engine/prepared_work.h"

namespace blindspot::cpu {
namespace {

ConvolutionPlan forward_plan(const ConvolutionDescription& description, Type type) {
  ConvolutionPlan plan;
  plan.batch = description.batch;
  plan.height = description.height;
  plan.width = description.width;
  plan.in_channels = description.in_channels;
  plan.out_height = description.out_height();
  plan.out_width = description.out_width();
  plan.out_channels = description.out_channels;
  plan.kernel_height = description.kernel_height;
  plan.kernel_width = description.kernel_width;
  plan.stride = description.stride;
  plan.pad_top = description.pad_top;
  plan.pad_left = description.pad_left;
  plan.pad_bottom = description.pad_bottom;
  plan.pad_right = description.pad_right;
  plan.type = type;
  plan.bias = true;
  plan.accumulate = description.accumulate;
  return plan;
}

/// The input gradient of a stride-1 convolution: dy convolved with the kernel turned by half a turn, channels swapped.
ConvolutionPlan turned_plan(const ConvolutionPlan& forward, bool accumulate) {
  ConvolutionPlan plan = forward;
  std::swap(plan.height, plan.out_height);
  std::swap(plan.width, plan.out_width);
  std::swap(plan.in_channels, plan.out_channels);
  plan.pad_top = forward.kernel_height - 1 - forward.pad_top;
  plan.pad_left = forward.kernel_width - 1 - forward.pad_left;
  plan.pad_bottom = forward.kernel_height - 1 - forward.pad_bottom;
  plan.pad_right = forward.kernel_width - 1 - forward.pad_right;
  plan.bias = false;
  plan.accumulate = accumulate;
  return plan;
}

/// [K, R, S, C] → [C, R, S, K], rows and columns of the kernel in reverse.
std::vector<float> turned(std::span<const float> weight, const ConvolutionPlan& forward) {
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

class CpuConvolution final : public Convolution {
 public:
  CpuConvolution(CpuDevice& device, const ConvolutionDescription& description, std::span<const float> weight,
                 std::span<const float> bias)
      : device_(device),
        description_(description),
        type_(device.product_type()),
        bias_(device.constant(bias, {description.out_channels})) {
    std::vector<float> rounded;
    if (device.precision() == Precision::bf16) {
      rounded.assign(weight.begin(), weight.end());
      device.round_to_bfloat16(rounded);
      weight = rounded;
    }
    const ConvolutionPlan plan = forward_plan(description, type_);
    forward_ = convolution_primitive(device, plan);
    weights_ = packed_convolution_weights(device, forward_, plan, weight);
    const bool padded = plan.pad_top + plan.pad_left + plan.pad_bottom + plan.pad_right > 0;
    if (plan.stride > 1 && plan.kernel_height == 1 && plan.kernel_width == 1 && !padded) {
      prepare_subsampled(plan, weight);
    } else {
      prepare_gradient(plan, weight);
    }
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& x, Array& y, Array* relu_mask) override {
    check(x, y);
    const Operand input = Operand::read(device_, x, type_);
    Operand output = Operand::write(device_, y, type_, description_.accumulate);
    forward_.execute(device_, {{DNNL_ARG_SRC, input.data()},
                               {DNNL_ARG_WEIGHTS, weights_.data()},
                               {DNNL_ARG_BIAS, bias_.data()},
                               {DNNL_ARG_DST, output.data()}});
    if (description_.relu) device_.relu(output.array(), *relu_mask);
    output.store(device_, y);
  }

  void input_gradient(const Array& dy, Array& dx, const Array* relu_mask) override {
    check(dx, dy);
    const Operand output = Operand::read(device_, dy, type_);
    Operand input = Operand::write(device_, dx, type_, description_.accumulate_gradient);
    switch (way_) {
      case Way::turned:
        gradient_.execute(device_, {{DNNL_ARG_SRC, output.data()},
                                    {DNNL_ARG_WEIGHTS, gradient_weights_.data()},
                                    {DNNL_ARG_DST, input.data()}});
        break;
      case Way::subsampled:
        scatter_gradient(output, input.array());
        break;
      case Way::library:
        library_gradient(output, input.array());
        break;
    }
    if (description_.mask_gradient) device_.relu_gradient(input.array(), *relu_mask);
    input.store(device_, dx);
  }

 private:
  /// How the input gradient is computed: as a forward convolution with turned weights (stride 1), as such a 1×1
  /// convolution whose results are then spread over the pixels that were read, or by oneDNN's own gradient.
  enum class Way : std::uint8_t { turned, subsampled, library };

  void prepare_gradient(const ConvolutionPlan& plan, std::span<const float> weight) {
    const ConvolutionPlan turned_by_half = turned_plan(plan, description_.accumulate_gradient);
    if (plan.stride == 1 && std::min({turned_by_half.pad_top, turned_by_half.pad_left, turned_by_half.pad_bottom,
                                      turned_by_half.pad_right}) >= 0) {
      way_ = Way::turned;
      gradient_ = convolution_primitive(device_, turned_by_half);
      gradient_weights_ = packed_convolution_weights(device_, gradient_, turned_by_half, turned(weight, plan));
    } else {
      way_ = Way::library;
      gradient_ = convolution_gradient_primitive(device_, plan);
      gradient_weights_ = packed_convolution_weights(device_, gradient_, plan, weight);
    }
  }

  /// 1×1 without padding: the gradient of the pixels that were read, as a convolution of stride 1.
  void prepare_subsampled(const ConvolutionPlan& plan, std::span<const float> weight) {
    ConvolutionPlan dense = plan;
    dense.height = plan.out_height;
    dense.width = plan.out_width;
    dense.stride = 1;
    const ConvolutionPlan turned_by_half = turned_plan(dense, false);
    way_ = Way::subsampled;
    gradient_ = convolution_primitive(device_, turned_by_half);
    gradient_weights_ = packed_convolution_weights(device_, gradient_, turned_by_half, turned(weight, plan));
  }

  void library_gradient(const Operand& output, Array& dx) {
    Array own;
    if (description_.accumulate_gradient) own = device_.array(type_, dx.shape());
    gradient_.execute(device_, {{DNNL_ARG_DIFF_DST, output.data()},
                                {DNNL_ARG_WEIGHTS, gradient_weights_.data()},
                                {DNNL_ARG_DIFF_SRC, description_.accumulate_gradient ? own.data() : dx.data()}});
    if (description_.accumulate_gradient) device_.add(own, dx);
  }

  void scatter_gradient(const Operand& output, Array& dx) {
    const ConvolutionDescription& d = description_;
    const Array read = device_.array(type_, {d.batch, d.out_height(), d.out_width(), d.in_channels});
    gradient_.execute(
        device_,
        {{DNNL_ARG_SRC, output.data()}, {DNNL_ARG_WEIGHTS, gradient_weights_.data()}, {DNNL_ARG_DST, read.data()}});
    if (!d.accumulate_gradient) device_.fill_zero(dx);
    if (type_ == Type::bfloat16) {
      spread(device_.kernels().bfloat16, read, dx);
    } else {
      spread(device_.kernels().float32, read, dx);
    }
  }

  /// dx[n, stride·i, stride·j] += read[n, i, j].
  template <typename Element>
  void spread(const ElementKernels<Element>& kernels, const Array& read, Array& dx) {
    const ConvolutionDescription& d = description_;
    device_.parallel_for(d.batch * d.out_height(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t to_row = row / d.out_height() * d.height + row % d.out_height() * d.stride;
        const Element* from = reinterpret_cast<const Element*>(read.data()) + row * d.out_width() * d.in_channels;
        Element* to = reinterpret_cast<Element*>(dx.data()) + to_row * d.width * d.in_channels;
        for (std::int64_t column = 0; column < d.out_width(); ++column) {
          kernels.add(from + column * d.in_channels, to + column * d.stride * d.in_channels, d.in_channels);
        }
      }
    });
  }

  /// x or dx, y or dy.
  void check(const Array& input, const Array& output) const {
    const ConvolutionDescription& d = description_;
    if (input.type() == device_.activation_type() && output.type() == device_.activation_type() &&
        input.shape() == Shape{d.batch, d.height, d.width, d.in_channels} &&
        output.shape() == Shape{d.batch, d.out_height(), d.out_width(), d.out_channels}) {
      return;
    }
    throw Error(ErrorKind::fault, fmt::format("a convolution was not prepared for an input {} and an output {}",
                                              input.shape().text(), output.shape().text()));
  }

  CpuDevice& device_;
  ConvolutionDescription description_;
  Type type_;
  Array bias_;
  Primitive forward_, gradient_;
  Memory weights_, gradient_weights_;
  Way way_ = Way::turned;
};

}  // namespace

std::unique_ptr<Convolution> CpuDevice::convolution(const ConvolutionDescription& description,
                                                    std::span<const float> weight, std::span<const float> bias) {
  const std::int64_t count =
      description.out_channels * description.kernel_height * description.kernel_width * description.in_channels;
  if (static_cast<std::int64_t>(weight.size()) != count ||
      static_cast<std::int64_t>(bias.size()) != description.out_channels) {
    throw Error(ErrorKind::fault, fmt::format("a convolution needs {} weights and {} biases, not {} and {}", count,
                                              description.out_channels, weight.size(), bias.size()));
  }
  return std::make_unique<CpuConvolution>(*this, description, weight, bias);
}

}  // namespace blindspot::cpu
