// Implementation of linear.h.
#include "engine/layers/linear.h"

namespace blindspot {

LinearLayer::LinearLayer(Device& device, const LinearDescription& description, std::span<const float> weight,
                         std::span<const float> bias)
    : device_(&device), description_(description), linear_(device.linear(description, weight, bias)) {}

Array LinearLayer::forward(const Array& x) {
  return forward(x, device_->array(description_.output, {description_.rows, description_.out_features}));
}

Array LinearLayer::forward(const Array& x, Array residual) {
  linear_->forward(x, residual);
  return residual;
}

Array LinearLayer::input_gradient(const Array& dy) {
  Array dx = device_->array(description_.input, {description_.rows, description_.in_features});
  linear_->input_gradient(dy, dx);
  return dx;
}

}  // namespace blindspot
