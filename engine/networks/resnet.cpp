// Implementation of resnet.h.
#include "engine/networks/resnet.h"

#include <utility>

namespace blindspot {

namespace {

constexpr std::int64_t imagenet_stem_channels = 64;

/// Blocks of all four stages: channels 64, 128, 256, 512 (times 4 behind a bottleneck), halved resolution from the
/// second stage on.
std::vector<ResidualBlockDescription> block_descriptions(const ResNetDescription& description) {
  std::vector<ResidualBlockDescription> blocks;
  std::int64_t in_channels = imagenet_stem_channels;
  for (std::size_t stage = 0; stage < description.blocks.size(); ++stage) {
    const std::int64_t planes = std::int64_t{64} << stage;
    const std::int64_t width = planes * description.base_width / 64;
    const std::int64_t out_channels = description.bottleneck ? 4 * planes : planes;
    for (int i = 0; i < description.blocks.at(stage); ++i) {
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      ResidualBlockDescription block;
      block.name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      if (description.bottleneck) {
        block.branch = {{width, 1, 1}, {width, 3, stride}, {out_channels, 1, 1}};
      } else {
        block.branch = {{out_channels, 3, stride}, {out_channels, 3, 1}};
      }
      block.shortcut = stride != 1 || in_channels != out_channels ? Shortcut::projection : Shortcut::identity;
      block.input_has_relu = !blocks.empty();  // the first block follows the max-pool
      blocks.push_back(std::move(block));
      in_channels = out_channels;
    }
  }
  return blocks;
}

}  // namespace

ResNet::ResNet(Device& device, const NetworkInput& input, const ResNetDescription& description,
               const weights::StateDict& state)
    : PreparedNetwork(device, input, description.classes),
      stem_(device, input, {imagenet_stem_channels, 7, 2, 3, true}, weights::fold_batch_norm(state, "conv1", "bn1")),
      max_pool_(device, {3, 2, 1}, stem_.output_shape()),
      blocks_(device, state, max_pool_.output_shape(), block_descriptions(description)),
      average_pool_(device, blocks_.output_shape(), 1, 1),
      fc_(classifier(device, state, "fc", input.batch, blocks_.output_shape()[3], description.classes)) {}

Array ResNet::forward(const WriteImages& write_images) {
  forget();
  Array x = stem_.forward(write_images);  // [N, H/2, W/2, 64], behind bn1 and ReLU
  observe(Pass::forward, "relu", x);
  x = max_pool_.forward(x);  // [N, H/4, W/4, 64]
  observe(Pass::forward, "maxpool", x);
  x = blocks_.forward(std::move(x), observer());
  x = average_pool_.forward(x);  // [N, 1, 1, C]
  observe(Pass::forward, "avgpool", x);
  return fc_.forward(x.reshaped({batch(), x.shape()[3]}));
}

void ResNet::input_gradient(const Array& dlogits, const ReadGradient& read_gradient) {
  Array dx = fc_.input_gradient(dlogits);  // [N, C]
  observe(Pass::backward, "avgpool", dx);
  dx = average_pool_.input_gradient(dx.reshaped(average_pool_.output_shape()), blocks_.relu_mask());
  dx = blocks_.input_gradient(std::move(dx), nullptr, observer());
  observe(Pass::backward, "maxpool", dx);
  dx = max_pool_.input_gradient(dx, stem_.relu_mask());
  observe(Pass::backward, "bn1", dx);
  stem_.input_gradient(dx, read_gradient);
  forget();
}

void ResNet::forget() {
  stem_.forget();
  max_pool_.forget();
  blocks_.forget();
}

std::vector<weights::TensorDeclaration> declare_resnet(const ResNetDescription& description) {
  Declaration tensors;
  tensors.convolution("conv1", imagenet_stem_channels, 3, 7, false);
  tensors.batch_norm("bn1", imagenet_stem_channels);
  const std::int64_t channels =
      declare_residual_stack(tensors, block_descriptions(description), imagenet_stem_channels);
  tensors.linear("fc", description.classes, channels);
  return tensors.take();
}

}  // namespace blindspot
