// Implementation of convolution_stem.h. Module numbers are RobustBench's: convolution 3i, norm 3i + 1, GELU 3i + 2.
#include "engine/networks/convolution_stem.h"

#include <utility>

namespace blindspot {

namespace {

constexpr std::int64_t stage_count = 4;

std::string module_name(std::int64_t number) {
  return "patch_embed.proj.stem." + std::to_string(number);
}

std::int64_t stage_channels(std::int64_t width, std::int64_t stage) {
  return width >> (stage_count - 1 - stage);
}

}  // namespace

ConvolutionStem::ConvolutionStem(Device& device, const NetworkInput& input, const weights::StateDict& state,
                                 std::int64_t width, float layer_norm_epsilon)
    : device_(&device),
      first_(device, input, {stage_channels(width, 0), 3, 2, 1, false}, plain_convolution(state, module_name(0))) {
  Shape shape = first_.output_shape();
  for (std::int64_t stage = 0; stage < stage_count; ++stage) {
    if (stage > 0) {
      convolutions_.emplace_back(device, square_convolution(shape, stage_channels(width, stage), 3, 2, 1),
                                 plain_convolution(state, module_name(3 * stage)));
      shape = convolutions_.back().output_shape();
    }
    stages_.push_back(
        {layer_norm(device, state, module_name(3 * stage + 1), device.activation_type(), layer_norm_epsilon), Array(),
         module_name(3 * stage), module_name(3 * stage + 1), module_name(3 * stage + 2)});
  }
  convolutions_.emplace_back(device, square_convolution(shape, width, 1, 1, 0),
                             plain_convolution(state, module_name(3 * stage_count)));
}

Array ConvolutionStem::forward(const WriteImages& write_images, const LayerObserver& observer) {
  Array x = first_.forward(write_images);
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    x = norm_and_gelu(stages_[stage], x, observer);
    x = convolutions_[stage].forward(x);  // the next stage's, or the 1×1
  }
  return x;
}

void ConvolutionStem::input_gradient(const Array& dpatches, const ReadGradient& read_gradient,
                                     const LayerObserver& observer) {
  Array dx = convolutions_.back().input_gradient(dpatches, nullptr);
  for (std::size_t stage = stages_.size(); stage-- > 0;) {
    dx = norm_and_gelu_gradient(stages_[stage], std::move(dx), observer);
    if (stage > 0) dx = convolutions_[stage - 1].input_gradient(dx, nullptr);
  }
  first_.input_gradient(dx, read_gradient);
}

Array ConvolutionStem::norm_and_gelu(NormAndGelu& stage, const Array& x, const LayerObserver& observer) {
  if (observer) observer(Pass::forward, stage.convolution_name, x);
  stage.before_gelu = stage.norm.forward(x);
  if (observer) observer(Pass::forward, stage.norm_name, stage.before_gelu);
  Array y = device_->activation(x.shape());
  device_->gelu(stage.before_gelu, y);
  if (observer) observer(Pass::forward, stage.gelu_name, y);
  return y;
}

Array ConvolutionStem::norm_and_gelu_gradient(NormAndGelu& stage, Array dy, const LayerObserver& observer) {
  if (observer) observer(Pass::backward, stage.gelu_name, dy);
  device_->gelu_gradient(stage.before_gelu, dy);
  stage.before_gelu = Array();
  if (observer) observer(Pass::backward, stage.norm_name, dy);
  Array dx = stage.norm.input_gradient(dy);
  stage.norm.forget();
  if (observer) observer(Pass::backward, stage.convolution_name, dx);
  return dx;
}

void ConvolutionStem::forget() {
  for (NormAndGelu& stage : stages_) {
    stage.norm.forget();
    stage.before_gelu = Array();
  }
}

void declare_convolution_stem(Declaration& tensors, std::int64_t width) {
  std::int64_t in_channels = 3;
  for (std::int64_t stage = 0; stage < stage_count; ++stage) {
    const std::int64_t channels = stage_channels(width, stage);
    tensors.convolution(module_name(3 * stage), channels, in_channels, 3, true);
    tensors.layer_norm(module_name(3 * stage + 1), channels);
    in_channels = channels;
  }
  tensors.convolution(module_name(3 * stage_count), width, width, 1, true);
}

}  // namespace blindspot
