// The ResNets of He et al. 2016, section 4.2, for CIFAR-10: depth 6n + 2, three stages of 16, 32 and 64 channels,
// shortcut A. Sees layers; declares the tensor names of pytorch_resnet_cifar10.
#pragma once

#include <vector>

#include "engine/layers/pooling.h"
#include "engine/networks/architecture.h"
#include "engine/networks/parameters.h"
#include "engine/networks/prepared_network.h"
#include "engine/networks/residual_stack.h"

namespace blindspot {

class CifarResNet final : public PreparedNetwork {
 public:
  CifarResNet(Device& device, const NetworkInput& input, const CifarResNetDescription& description,
              const weights::StateDict& state);

  Array forward(const WriteImages& write_images) override;
  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override;
  void forget() override;

 private:
  StemConvolution stem_;
  ResidualStack blocks_;
  AveragePoolLayer average_pool_;
  LinearLayer linear_;
};

std::vector<weights::TensorDeclaration> declare_cifar_resnet(const CifarResNetDescription& description);

}  // namespace blindspot
