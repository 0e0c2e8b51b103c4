// The convolution stem of Singh et al. 2023 ("Revisiting Adversarial Training for ImageNet"): in the place of a 16×16
// patch embedding, four 3×3 convolutions of stride 2, each with layer norm over the channels and GELU, then a 1×1. Sees
// layers.
#pragma once

#include <string>
#include <vector>

#include "engine/layers/layer_norm.h"
#include "engine/layers/stem_convolution.h"
#include "engine/networks/network.h"
#include "engine/networks/parameters.h"

namespace blindspot {

class ConvolutionStem {
 public:
  /// `width`: of the tokens, a multiple of 8; the convolutions have width/8, /4, /2 and /1 channels.
  ConvolutionStem(Device& device, const NetworkInput& input, const weights::StateDict& state, std::int64_t width,
                  float layer_norm_epsilon);

  /// Images of [N, 3, H, W] → [N, H/16, W/16, width].
  Array forward(const WriteImages& write_images, const LayerObserver& observer);
  void input_gradient(const Array& dpatches, const ReadGradient& read_gradient, const LayerObserver& observer);
  void forget();

 private:
  /// A stage's layer norm and GELU, which follow its convolution.
  struct NormAndGelu {
    LayerNormLayer norm;
    Array before_gelu;
    std::string convolution_name, norm_name, gelu_name;
  };
  Array norm_and_gelu(NormAndGelu& stage, const Array& x, const LayerObserver& observer);
  Array norm_and_gelu_gradient(NormAndGelu& stage, Array dy, const LayerObserver& observer);

  Device* device_;
  StemConvolution first_;
  std::vector<ConvolutionLayer> convolutions_;  // the three others of stride 2, then the 1×1
  std::vector<NormAndGelu> stages_;
};

void declare_convolution_stem(Declaration& tensors, std::int64_t width);

}  // namespace blindspot
