// Implementation of layer_norm.h.
#include "engine/layers/layer_norm.h"

namespace blindspot {

LayerNormLayer::LayerNormLayer(Device& device, Type input, std::span<const float> scale, std::span<const float> shift,
                               float epsilon)
    : device_(&device),
      input_(input),
      scale_(device.constant(scale, {static_cast<std::int64_t>(scale.size())})),
      shift_(device.constant(shift, {static_cast<std::int64_t>(shift.size())})),
      epsilon_(epsilon) {}

Array LayerNormLayer::forward(const Array& x) {
  normalised_ = device_->activation(x.shape());
  inverse_deviation_ = device_->array(Type::float32, {x.shape().rows()});
  Array y = device_->activation(x.shape());
  device_->layer_norm(x, scale_, shift_, epsilon_, y, normalised_, inverse_deviation_);
  return y;
}

Array LayerNormLayer::input_gradient(const Array& dy) {
  Array dx = device_->array(input_, dy.shape());
  device_->layer_norm_gradient(dy, scale_, normalised_, inverse_deviation_, dx, false);
  return dx;
}

Array LayerNormLayer::input_gradient(const Array& dy, Array onto) {
  device_->layer_norm_gradient(dy, scale_, normalised_, inverse_deviation_, onto, true);
  return onto;
}

void LayerNormLayer::forget() {
  normalised_ = Array();
  inverse_deviation_ = Array();
}

}  // namespace blindspot
