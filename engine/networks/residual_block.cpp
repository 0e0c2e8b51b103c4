// Implementation of residual_block.h. An identity shortcut moves the array, so that the sum needs no memory of its own.
#include "engine/networks/residual_block.h"

#include <utility>

namespace blindspot {

ResidualBlock::ResidualBlock(Device& device, const weights::StateDict& state, const Shape& input,
                             const ResidualBlockDescription& description)
    : device_(&device), name_(description.name), shortcut_(description.shortcut), input_(input) {
  Shape shape = input;
  std::int64_t stride = 1;
  branch_.reserve(description.branch.size());
  for (std::size_t i = 0; i < description.branch.size(); ++i) {
    const auto& step = description.branch[i];
    const bool first = i == 0;
    ConvolutionDescription convolution =
        square_convolution(shape, step.out_channels, step.kernel, step.stride, step.kernel / 2);
    convolution.relu = true;
    convolution.accumulate = i + 1 == description.branch.size();
    convolution.accumulate_gradient = first;
    convolution.mask_gradient = !first || description.input_has_relu;
    const std::string number = std::to_string(i + 1);
    branch_.emplace_back(device, convolution,
                         weights::fold_batch_norm(state, name_ + ".conv" + number, name_ + ".bn" + number));
    shape = branch_.back().output_shape();
    stride *= step.stride;
  }
  if (shortcut_ == Shortcut::projection) {
    projection_.emplace(device, square_convolution(input, shape[3], 1, stride, 0),
                        weights::fold_batch_norm(state, name_ + ".downsample.0", name_ + ".downsample.1"));
  }
}

Array ResidualBlock::forward(Array x) {
  Array h = branch_.front().forward(x);
  Array shortcut = shortcut_forward(std::move(x));
  for (std::size_t i = 1; i + 1 < branch_.size(); ++i) h = branch_[i].forward(h);
  return branch_.back().forward(h, std::move(shortcut));
}

Array ResidualBlock::input_gradient(Array dy, const Array* input_mask) {
  Array dh = branch_.back().input_gradient(dy, branch_[branch_.size() - 2].relu_mask());
  for (std::size_t i = branch_.size() - 2; i > 0; --i) dh = branch_[i].input_gradient(dh, branch_[i - 1].relu_mask());
  Array dx = shortcut_gradient(std::move(dy));
  dx = branch_.front().input_gradient(dh, std::move(dx), input_mask);
  forget();
  return dx;
}

Array ResidualBlock::shortcut_forward(Array x) {
  if (shortcut_ == Shortcut::identity) return x;
  if (shortcut_ == Shortcut::projection) return projection_->forward(x);
  Array y = device_->activation(output_shape());
  device_->subsample_shortcut(x, y);
  return y;
}

Array ResidualBlock::shortcut_gradient(Array dy) {
  if (shortcut_ == Shortcut::identity) return dy;
  if (shortcut_ == Shortcut::projection) return projection_->input_gradient(dy, nullptr);
  Array dx = device_->activation(input_);
  device_->subsample_shortcut_gradient(dy, dx);
  return dx;
}

void ResidualBlock::forget() {
  for (ConvolutionLayer& layer : branch_) layer.forget();
}

std::int64_t declare_residual_block(Declaration& tensors, const ResidualBlockDescription& block,
                                    std::int64_t in_channels) {
  std::int64_t channels = in_channels;
  for (std::size_t i = 0; i < block.branch.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    tensors.convolution(block.name + ".conv" + number, block.branch[i].out_channels, channels, block.branch[i].kernel,
                        false);
    channels = block.branch[i].out_channels;
    tensors.batch_norm(block.name + ".bn" + number, channels);
  }
  if (block.shortcut == Shortcut::projection) {
    tensors.convolution(block.name + ".downsample.0", channels, in_channels, 1, false);
    tensors.batch_norm(block.name + ".downsample.1", channels);
  }
  return channels;
}

}  // namespace blindspot
