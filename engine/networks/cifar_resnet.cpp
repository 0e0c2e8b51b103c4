// Implementation of cifar_resnet.h.
#include "engine/networks/cifar_resnet.h"

#include <utility>

namespace blindspot {

namespace {

constexpr std::int64_t stem_channels = 16;

/// 3 stages of n blocks of two 3×3 convolutions.
std::vector<ResidualBlockDescription> block_descriptions(const CifarResNetDescription& description) {
  std::vector<ResidualBlockDescription> blocks;
  const int blocks_a_stage = (description.depth - 2) / 6;
  for (int stage = 0; stage < 3; ++stage) {
    const std::int64_t channels = stem_channels << stage;
    for (int i = 0; i < blocks_a_stage; ++i) {
      const bool halves = stage > 0 && i == 0;
      ResidualBlockDescription block;
      block.name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      block.branch = {{channels, 3, halves ? 2 : 1}, {channels, 3, 1}};
      block.shortcut = halves ? Shortcut::subsample : Shortcut::identity;
      blocks.push_back(std::move(block));
    }
  }
  return blocks;
}

}  // namespace

CifarResNet::CifarResNet(Device& device, const NetworkInput& input, const CifarResNetDescription& description,
                         const weights::StateDict& state)
    : PreparedNetwork(device, input, description.classes),
      stem_(device, input, {stem_channels, 3, 1, 1, true}, weights::fold_batch_norm(state, "conv1", "bn1")),
      blocks_(device, state, stem_.output_shape(), block_descriptions(description)),
      average_pool_(device, blocks_.output_shape(), 1, 1),
      linear_(classifier(device, state, "linear", input.batch, blocks_.output_shape()[3], description.classes)) {}

Array CifarResNet::forward(const WriteImages& write_images) {
  forget();
  Array x = stem_.forward(write_images);  // [N, H, W, 16], behind bn1 and ReLU
  observe(Pass::forward, "relu", x);
  x = blocks_.forward(std::move(x), observer());
  x = average_pool_.forward(x);  // [N, 1, 1, 64]
  return linear_.forward(x.reshaped({batch(), x.shape()[3]}));
}

void CifarResNet::input_gradient(const Array& dlogits, const ReadGradient& read_gradient) {
  Array dx = linear_.input_gradient(dlogits);  // [N, 64]
  dx = average_pool_.input_gradient(dx.reshaped(average_pool_.output_shape()), blocks_.relu_mask());
  dx = blocks_.input_gradient(std::move(dx), stem_.relu_mask(), observer());
  observe(Pass::backward, "bn1", dx);
  stem_.input_gradient(dx, read_gradient);
  forget();
}

void CifarResNet::forget() {
  stem_.forget();
  blocks_.forget();
}

std::vector<weights::TensorDeclaration> declare_cifar_resnet(const CifarResNetDescription& description) {
  Declaration tensors;
  tensors.convolution("conv1", stem_channels, 3, 3, false);
  tensors.batch_norm("bn1", stem_channels);
  const std::int64_t channels = declare_residual_stack(tensors, block_descriptions(description), stem_channels);
  tensors.linear("linear", description.classes, channels);
  return tensors.take();
}

}  // namespace blindspot
