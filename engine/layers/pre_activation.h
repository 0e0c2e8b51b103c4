// Batch norm and ReLU in front of a convolution (He et al. 2016, "Identity Mappings"): nothing before it to fold the
// norm into, so it is scale, shift and ReLU in one pass. May use device.h.
#pragma once

#include "engine/device.h"
#include "weights/state.h"

namespace blindspot {

/// y = relu(scale·x + shift) for each channel.
class PreActivation {
 public:
  PreActivation(Device& device, const weights::ScaleShift& norm);

  /// x [N, H, W, C] → the same shape. Keeps the ReLU's bits.
  Array forward(const Array& x);

  /// dy → dx = scale ⊙ mask ⊙ dy.
  Array input_gradient(const Array& dy);
  /// dx added to `onto` in its own place.
  Array input_gradient(const Array& dy, Array onto);
  void forget() { mask_ = Array(); }

 private:
  Device* device_;
  Array scale_, shift_;  // float32 [C]
  Array mask_;
};

}  // namespace blindspot
