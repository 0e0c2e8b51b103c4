// A fully connected layer on rows of a matrix, on a prepared Linear. May use device.h. The types of its two sides are
// its own: a transformer's branches end in the float32 token stream, classifiers in float32 logits.
#pragma once

#include <memory>
#include <span>

#include "engine/device.h"

namespace blindspot {

/// y = x wᵀ + b (+ residual).
class LinearLayer {
 public:
  /// `weight` is [out_features, in_features], `bias` [out_features].
  LinearLayer(Device& device, const LinearDescription& description, std::span<const float> weight,
              std::span<const float> bias);

  /// x of description.rows rows → [rows, out_features].
  Array forward(const Array& x);
  /// The same, added to `residual` in its own place, whose shape it keeps (description.accumulate).
  Array forward(const Array& x, Array residual);

  /// dy → dx [rows, in_features], of the type of x.
  Array input_gradient(const Array& dy);

 private:
  Device* device_;
  LinearDescription description_;
  std::unique_ptr<Linear> linear_;
};

}  // namespace blindspot
