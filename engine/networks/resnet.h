// ResNet-18/34/50/101/152 and the wide ResNet-50-2 and -101-2 (He et al. 2016, table 1; Zagoruyko & Komodakis 2016), in
// torchvision's form: the stride stands in the 3×3 of a bottleneck. Sees layers; declares torchvision's tensor names.
#pragma once

#include <vector>

#include "engine/layers/pooling.h"
#include "engine/networks/architecture.h"
#include "engine/networks/parameters.h"
#include "engine/networks/prepared_network.h"
#include "engine/networks/residual_stack.h"

namespace blindspot {

class ResNet final : public PreparedNetwork {
 public:
  ResNet(Device& device, const NetworkInput& input, const ResNetDescription& description,
         const weights::StateDict& state);

  Array forward(const WriteImages& write_images) override;
  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override;
  void forget() override;

 private:
  StemConvolution stem_;
  MaxPoolLayer max_pool_;
  ResidualStack blocks_;
  AveragePoolLayer average_pool_;
  LinearLayer fc_;
};

std::vector<weights::TensorDeclaration> declare_resnet(const ResNetDescription& description);

}  // namespace blindspot
