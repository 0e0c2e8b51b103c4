// Wide residual networks, WRN-depth-widen (Zagoruyko & Komodakis 2016): batch norm and ReLU in front of the
// convolutions, three stages of 16k, 32k and 64k channels. Sees layers; declares RobustBench's tensor names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/layers/pooling.h"
#include "engine/layers/pre_activation.h"
#include "engine/networks/architecture.h"
#include "engine/networks/parameters.h"
#include "engine/networks/prepared_network.h"

namespace blindspot {

/// a = relu(bn1(x)); conv2(relu(bn2(conv1(a)))) + x, or + convShortcut(a) where the number of channels changes.
class PreActivationBlock {
 public:
  PreActivationBlock(Device& device, const weights::StateDict& state, const Shape& input, std::string name,
                     std::int64_t out_channels, std::int64_t stride);

  /// x [N, H, W, C] → [N, H', W', K].
  Array forward(Array x);
  Array input_gradient(Array dy);

  void forget();
  Shape output_shape() const { return conv2_.output_shape(); }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  PreActivation pre_activation_;
  ConvolutionLayer conv1_;  // bn2 folded in, ReLU at the end
  ConvolutionLayer conv2_;
  std::optional<ConvolutionLayer> shortcut_;
};

class WideResNet final : public PreparedNetwork {
 public:
  WideResNet(Device& device, const NetworkInput& input, const WideResNetDescription& description,
             const weights::StateDict& state);

  Array forward(const WriteImages& write_images) override;
  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override;
  void forget() override;

 private:
  StemConvolution stem_;
  std::vector<PreActivationBlock> blocks_;
  PreActivation last_norm_;
  AveragePoolLayer average_pool_;
  LinearLayer fc_;
};

std::vector<weights::TensorDeclaration> declare_wide_resnet(const WideResNetDescription& description);

}  // namespace blindspot
