// AlexNet in the form of Krizhevsky 2014 ("One weird trick"), as torchvision has it. Its convolutions stand in a class
// of their own, since LPIPS measures on their five ReLUs. Sees layers; declares torchvision's tensor names.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "engine/layers/pooling.h"
#include "engine/networks/architecture.h"
#include "engine/networks/parameters.h"
#include "engine/networks/prepared_network.h"

namespace blindspot {

/// Five convolutions, each with a ReLU, and max-pools in front of the second and the third (and, in the whole network,
/// behind the fifth).
class AlexNetFeatures {
 public:
  static constexpr std::size_t convolution_count = 5;
  /// Shown the five ReLUs' outputs, [N, H, W, C] in the activation type, numbered from 0.
  using Tap = std::function<void(std::size_t relu, const Array& features)>;

  /// Reads `features.*` of `state`. The images must be 31 pixels a side or more, else a pool would be empty.
  AlexNetFeatures(Device& device, const NetworkInput& input, const weights::StateDict& state);

  /// Images of [N, 3, H, W] → features behind the fifth ReLU.
  Array forward(const WriteImages& write_images, const Tap& tap);
  /// `dy` is the gradient before the fifth ReLU.
  void input_gradient(Array dy, const ReadGradient& read_gradient);

  const Array* relu_mask() const { return convolutions_.back().relu_mask(); }
  void forget();
  Shape output_shape() const { return convolutions_.back().output_shape(); }

 private:
  StemConvolution first_;
  MaxPoolLayer first_pool_, second_pool_;
  std::vector<ConvolutionLayer> convolutions_;  // the second to the fifth
};

/// The whole network: dropout is the identity.
class AlexNet final : public PreparedNetwork {
 public:
  AlexNet(Device& device, const NetworkInput& input, const AlexNetDescription& description,
          const weights::StateDict& state);

  Array forward(const WriteImages& write_images) override;
  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override;
  void forget() override;

 private:
  AlexNetFeatures features_;
  MaxPoolLayer last_pool_;
  AveragePoolLayer average_pool_;
  LinearLayer classifier1_, classifier4_, classifier6_;
  Array mask2_, mask5_;  // of the classifier's ReLUs
};

std::vector<weights::TensorDeclaration> declare_alexnet_features();
std::vector<weights::TensorDeclaration> declare_alexnet(const AlexNetDescription& description);

}  // namespace blindspot
