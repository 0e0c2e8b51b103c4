// A convolution with what stands around it: bias or folded batch norm, a residual added in place, a ReLU and its mask.
// May use device.h and the folded weights of weights/state.h. What is fused is decided once, when the layer is made.
#pragma once

#include <memory>
#include <span>

#include "engine/device.h"
#include "weights/state.h"

namespace blindspot {

/// A square kernel with equal padding on all sides and nothing fused; callers set the flags that they need.
ConvolutionDescription square_convolution(const Shape& input, std::int64_t out_channels, std::int64_t kernel,
                                          std::int64_t stride, std::int64_t padding);

/// Weights from [K, C, kh, kw], as files hold them, to [K, kh, kw, C], as devices take them.
std::vector<float> channels_last_weight(std::span<const float> weight, const ConvolutionDescription& description);

/// y = relu?(x ⋆ w + b (+ residual)) on [N, H, W, C]. Keeps the bits of its ReLU until `forget`.
class ConvolutionLayer {
 public:
  /// `parameters.weight` is [K, C, kh, kw], `parameters.bias` [K].
  ConvolutionLayer(Device& device, const ConvolutionDescription& description,
                   const weights::FoldedConvolution& parameters);

  /// x [N, H, W, C] → [N, H', W', K].
  Array forward(const Array& x);
  /// The same, added to `residual` [N, H', W', K] in its own place (description.accumulate).
  Array forward(const Array& x, Array residual);

  /// dy [N, H', W', K] → dx [N, H, W, C]; dy is the gradient before this layer's own ReLU. `input_mask`: the ReLU that
  /// produced x (description.mask_gradient), else null.
  Array input_gradient(const Array& dy, const Array* input_mask);
  /// The same, added to `onto` in its own place before the mask (description.accumulate_gradient).
  Array input_gradient(const Array& dy, Array onto, const Array* input_mask);

  /// Bits of this layer's ReLU, shape of y; null without one.
  const Array* relu_mask() const { return description_.relu ? &relu_mask_ : nullptr; }
  void forget() { relu_mask_ = Array(); }
  Shape input_shape() const;
  Shape output_shape() const;

 private:
  Array forward_into(const Array& x, Array y);

  Device* device_;
  ConvolutionDescription description_;
  std::unique_ptr<Convolution> convolution_;
  Array relu_mask_;
};

}  // namespace blindspot
