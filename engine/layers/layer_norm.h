// Layer normalisation over the last dimension (Ba et al. 2016): of a transformer's float32 token stream, or over the
// channels of a convolution stem. May use device.h.
#pragma once

#include <span>

#include "engine/device.h"

namespace blindspot {

class LayerNormLayer {
 public:
  /// `scale` and `shift` have the size of the last dimension. `input`: type of x, and of dx.
  LayerNormLayer(Device& device, Type input, std::span<const float> scale, std::span<const float> shift, float epsilon);

  /// x of any shape → activation type, the same shape. Keeps the normalised values and a deviation for each row.
  Array forward(const Array& x);

  /// dy → dx.
  Array input_gradient(const Array& dy);
  /// dx added to `onto` in its own place.
  Array input_gradient(const Array& dy, Array onto);
  void forget();

 private:
  Device* device_;
  Type input_;
  Array scale_, shift_;  // float32 [C]
  float epsilon_;
  Array normalised_;         // shape of x
  Array inverse_deviation_;  // float32 [rows]
};

}  // namespace blindspot
