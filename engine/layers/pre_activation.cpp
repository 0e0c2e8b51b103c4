// Implementation of pre_activation.h.
#include "engine/layers/pre_activation.h"

namespace blindspot {

PreActivation::PreActivation(Device& device, const weights::ScaleShift& norm)
    : device_(&device),
      scale_(device.constant(norm.scale, {static_cast<std::int64_t>(norm.scale.size())})),
      shift_(device.constant(norm.shift, {static_cast<std::int64_t>(norm.shift.size())})) {}

Array PreActivation::forward(const Array& x) {
  mask_ = device_->array(Type::mask, x.shape());
  Array y = device_->activation(x.shape());
  device_->affine_relu(x, scale_, shift_, y, mask_);
  return y;
}

Array PreActivation::input_gradient(const Array& dy) {
  Array dx = device_->activation(dy.shape());
  device_->affine_relu_gradient(dy, scale_, mask_, dx, false);
  return dx;
}

Array PreActivation::input_gradient(const Array& dy, Array onto) {
  device_->affine_relu_gradient(dy, scale_, mask_, onto, true);
  return onto;
}

}  // namespace blindspot
