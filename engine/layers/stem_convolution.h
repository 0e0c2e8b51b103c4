// The first convolution of a network: from float32 images in [0, 1], normalised on the way, to channels-last
// activations, and back to the gradient with respect to the images. May use device.h and the convolution layer.
//
// A stride of s over 3 channels is rewritten as a stride of 1 over 3·s² channels (space-to-depth): input row o·s − p +
// k of output row o lies in block o + ⌊(k − p)/s⌋ at place (k − p) mod s, so a kernel of K rows becomes one of ⌊(K − 1
// − p)/s⌋ − ⌊−p/s⌋ + 1 rows. 7×7 stride 2 becomes 4×4 on 12 channels, a 16×16 patch embedding 1×1 on 768.
#pragma once

#include <array>
#include <memory>

#include "engine/layers/convolution.h"
#include "engine/layers/network_images.h"

namespace blindspot {

/// Images of one size, and the normalisation (x − mean)/deviation in front of the network.
struct NetworkInput {
  std::int64_t batch = 0, height = 0, width = 0;
  std::array<float, 3> mean{}, deviation{1, 1, 1};
};

struct StemDescription {
  std::int64_t out_channels = 0, kernel = 0, stride = 1, padding = 0;
  bool relu = false;
};

class StemConvolution {
 public:
  /// `parameters.weight` is [K, 3, kernel, kernel].
  StemConvolution(Device& device, const NetworkInput& input, const StemDescription& description,
                  const weights::FoldedConvolution& parameters);

  /// Images of [N, 3, H, W] → [N, H', W', K].
  Array forward(const WriteImages& write_images);
  /// dy [N, H', W', K], before this layer's own ReLU → the gradient of the images.
  void input_gradient(const Array& dy, const ReadGradient& read_gradient);

  const Array* relu_mask() const { return convolution_->relu_mask(); }
  void forget() { convolution_->forget(); }
  Shape output_shape() const { return convolution_->output_shape(); }

 private:
  Device* device_;
  InputLayout layout_;
  std::unique_ptr<ConvolutionLayer> convolution_;
};

}  // namespace blindspot
