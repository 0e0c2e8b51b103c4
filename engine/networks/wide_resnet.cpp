// Implementation of wide_resnet.h.
#include "engine/networks/wide_resnet.h"

#include <utility>

namespace blindspot {

namespace {

constexpr std::int64_t wide_stem_channels = 16;

struct BlockDescription {
  std::string name;
  std::int64_t in_channels = 0, out_channels = 0, stride = 1;
};

/// 3 stages of (depth − 4)/6 blocks.
std::vector<BlockDescription> block_descriptions(const WideResNetDescription& description) {
  std::vector<BlockDescription> blocks;
  std::int64_t in_channels = wide_stem_channels;
  for (int stage = 0; stage < 3; ++stage) {
    const std::int64_t channels = (wide_stem_channels << stage) * description.widen;
    for (int i = 0; i < (description.depth - 4) / 6; ++i) {
      blocks.push_back({"block" + std::to_string(stage + 1) + ".layer." + std::to_string(i), in_channels, channels,
                        stage > 0 && i == 0 ? 2 : 1});
      in_channels = channels;
    }
  }
  return blocks;
}

std::vector<PreActivationBlock> make_blocks(Device& device, const WideResNetDescription& description,
                                            const weights::StateDict& state, Shape shape) {
  std::vector<PreActivationBlock> blocks;
  for (const BlockDescription& block : block_descriptions(description)) {
    blocks.emplace_back(device, state, shape, block.name, block.out_channels, block.stride);
    shape = blocks.back().output_shape();
  }
  return blocks;
}

ConvolutionDescription first_convolution(const Shape& input, std::int64_t out_channels, std::int64_t stride) {
  ConvolutionDescription description = square_convolution(input, out_channels, 3, stride, 1);
  description.relu = true;
  description.accumulate_gradient = input[3] != out_channels;  // the shortcut reads the same activation
  return description;
}

ConvolutionDescription second_convolution(const Shape& input) {
  ConvolutionDescription description = square_convolution(input, input[3], 3, 1, 1);
  description.accumulate = true;
  description.mask_gradient = true;
  return description;
}

}  // namespace

PreActivationBlock::PreActivationBlock(Device& device, const weights::StateDict& state, const Shape& input,
                                       std::string name, std::int64_t out_channels, std::int64_t stride)
    : name_(std::move(name)),
      pre_activation_(device, weights::batch_norm_as_affine(state, name_ + ".bn1")),
      conv1_(device, first_convolution(input, out_channels, stride),
             weights::fold_batch_norm(state, name_ + ".conv1", name_ + ".bn2")),
      conv2_(device, second_convolution(conv1_.output_shape()), plain_convolution(state, name_ + ".conv2")) {
  if (input[3] != out_channels) {
    shortcut_.emplace(device, square_convolution(input, out_channels, 1, stride, 0),
                      plain_convolution(state, name_ + ".convShortcut"));
  }
}

Array PreActivationBlock::forward(Array x) {
  Array a = pre_activation_.forward(x);
  if (shortcut_) x = shortcut_->forward(a);
  const Array h = conv1_.forward(a);
  a = Array();
  return conv2_.forward(h, std::move(x));
}

Array PreActivationBlock::input_gradient(Array dy) {
  Array dh = conv2_.input_gradient(dy, conv1_.relu_mask());
  if (shortcut_) {
    Array da = shortcut_->input_gradient(dy, nullptr);
    dy = Array();
    da = conv1_.input_gradient(dh, std::move(da), nullptr);
    return pre_activation_.input_gradient(da);
  }
  const Array da = conv1_.input_gradient(dh, nullptr);
  dh = Array();
  return pre_activation_.input_gradient(da, std::move(dy));
}

void PreActivationBlock::forget() {
  pre_activation_.forget();
  conv1_.forget();
}

WideResNet::WideResNet(Device& device, const NetworkInput& input, const WideResNetDescription& description,
                       const weights::StateDict& state)
    : PreparedNetwork(device, input, description.classes),
      stem_(device, input, {wide_stem_channels, 3, 1, 1, false}, plain_convolution(state, "conv1")),
      blocks_(make_blocks(device, description, state, stem_.output_shape())),
      last_norm_(device, weights::batch_norm_as_affine(state, "bn1")),
      average_pool_(device, blocks_.back().output_shape(), 1, 1),
      fc_(classifier(device, state, "fc", input.batch, blocks_.back().output_shape()[3], description.classes)) {}

Array WideResNet::forward(const WriteImages& write_images) {
  forget();
  Array x = stem_.forward(write_images);  // [N, H, W, 16]
  observe(Pass::forward, "conv1", x);
  for (PreActivationBlock& block : blocks_) {
    x = block.forward(std::move(x));
    observe(Pass::forward, block.name(), x);
  }
  x = last_norm_.forward(x);
  observe(Pass::forward, "relu", x);
  x = average_pool_.forward(x);  // [N, 1, 1, 64·widen]
  return fc_.forward(x.reshaped({batch(), x.shape()[3]}));
}

void WideResNet::input_gradient(const Array& dlogits, const ReadGradient& read_gradient) {
  Array dx = fc_.input_gradient(dlogits);
  dx = average_pool_.input_gradient(dx.reshaped(average_pool_.output_shape()), nullptr);
  observe(Pass::backward, "relu", dx);
  dx = last_norm_.input_gradient(dx);
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    observe(Pass::backward, blocks_[i].name(), dx);
    dx = blocks_[i].input_gradient(std::move(dx));
    blocks_[i].forget();
  }
  observe(Pass::backward, "conv1", dx);
  stem_.input_gradient(dx, read_gradient);
  forget();
}

void WideResNet::forget() {
  last_norm_.forget();
  for (PreActivationBlock& block : blocks_) block.forget();
}

std::vector<weights::TensorDeclaration> declare_wide_resnet(const WideResNetDescription& description) {
  Declaration tensors;
  tensors.convolution("conv1", wide_stem_channels, 3, 3, false);
  std::int64_t channels = wide_stem_channels;
  for (const BlockDescription& block : block_descriptions(description)) {
    tensors.batch_norm(block.name + ".bn1", block.in_channels);
    tensors.convolution(block.name + ".conv1", block.out_channels, block.in_channels, 3, false);
    tensors.batch_norm(block.name + ".bn2", block.out_channels);
    tensors.convolution(block.name + ".conv2", block.out_channels, block.out_channels, 3, false);
    if (block.in_channels != block.out_channels) {
      tensors.convolution(block.name + ".convShortcut", block.out_channels, block.in_channels, 1, false);
    }
    channels = block.out_channels;
  }
  tensors.batch_norm("bn1", channels);
  tensors.linear("fc", description.classes, channels);
  return tensors.take();
}

}  // namespace blindspot
