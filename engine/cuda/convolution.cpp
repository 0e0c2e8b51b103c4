// Convolution of the CUDA device: its weights, and its two passes. How a pass is done stands in convolution_passes.cpp.
#include <fmt/format.h>

#include <utility>

#include "engine/cuda/convolution_graphs.h"
#include "engine/cuda/convolution_passes.h"
#include "engine/cuda/operand.h"
#include "engine/prepared_work.h"

namespace blindspot::cuda {
namespace {

class CudaConvolution final : public Convolution {
 public:
  CudaConvolution(CudaDevice& device, const ConvolutionDescription& description, std::span<const float> weight,
                  std::span<const float> bias)
      : device_(device),
        description_(description),
        type_(device.activation_type()),
        bias_(device.constant(bias, {description.out_channels})),
        forward_(forward_pass(device, description)),
        gradient_(gradient_pass(device, description)) {
    const ConvolutionDescription& d = description;
    for (const ConvolutionPass* pass : {forward_.get(), gradient_.get()}) {
      device.note_plan(pass->identity());
      if (!pass->wants_turned_weight() && weight_.empty()) {
        weight_ = device.constant(weight, {d.out_channels, d.kernel_height, d.kernel_width, d.in_channels}, type_);
      }
      if (pass->wants_turned_weight() && turned_weight_.empty()) {
        turned_weight_ = device.constant(turned_weight(weight, geometry_of(d)),
                                         {d.in_channels, d.kernel_height, d.kernel_width, d.out_channels}, type_);
      }
    }
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& x, Array& y, Array* relu_mask) override {
    check(x, y);
    run(*forward_, x, y, mask_of(y, description_.relu, relu_mask), reinterpret_cast<const float*>(bias_.data()));
  }

  void input_gradient(const Array& dy, Array& dx, const Array* relu_mask) override {
    check(dx, dy);
    run(*gradient_, dy, dx, mask_of(dx, description_.mask_gradient, relu_mask), nullptr);
  }

 private:
  /// The mask of a ReLU's output; null where there is none.
  static std::uint8_t* mask_of(const Array& output, bool has_relu, const Array* relu_mask) {
    if (!has_relu) return nullptr;
    require_fit(
        relu_mask != nullptr && relu_mask->type() == Type::mask && relu_mask->shape().count() == output.shape().count(),
        "the mask of a convolution", output);
    return reinterpret_cast<std::uint8_t*>(relu_mask->data());
  }

  void run(ConvolutionPass& pass, const Array& input, Array& output, std::uint8_t* mask, const float* bias) {
    const Array scratch = workspace(device_, pass.scratch_bytes());
    if (device_.rehearsing()) return;
    pass.run({input.data(), (pass.wants_turned_weight() ? turned_weight_ : weight_).data(), bias, output.data(), mask},
             scratch.data(), device_.stream());
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
  Array bias_, weight_, turned_weight_;
  std::unique_ptr<ConvolutionPass> forward_, gradient_;
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
