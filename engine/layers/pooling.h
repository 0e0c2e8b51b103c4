// Maximum and average pooling of [N, H, W, C]. May use device.h. Their gradients end in the mask of the ReLU that
// produced the input, where there was one.
#pragma once

#include "engine/device.h"

namespace blindspot {

/// Keeps where each maximum was found.
class MaxPoolLayer {
 public:
  MaxPoolLayer(Device& device, const PoolDescription& pool, const Shape& input);

  /// x [N, H, W, C] → [N, H', W', C].
  Array forward(const Array& x);
  /// dy → dx; `input_mask` null: no ReLU before the pool.
  Array input_gradient(const Array& dy, const Array* input_mask);
  void forget() { index_ = Array(); }
  const Shape& output_shape() const { return output_; }

 private:
  Device* device_;
  PoolDescription pool_;
  Shape input_, output_;
  Array index_;
};

/// Adaptive average to height × width; 1 × 1 is the global mean. Its result and the gradient that it takes are float32
/// in every precision: what comes after it is small, and rounding it to 16 bits would reach the logits unaveraged.
class AveragePoolLayer {
 public:
  AveragePoolLayer(Device& device, const Shape& input, std::int64_t height, std::int64_t width);

  Array forward(const Array& x);
  Array input_gradient(const Array& dy, const Array* input_mask);
  const Shape& output_shape() const { return output_; }

 private:
  Device* device_;
  Shape input_, output_;
};

}  // namespace blindspot
