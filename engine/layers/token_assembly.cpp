// Implementation of token_assembly.h.
#include "engine/layers/token_assembly.h"

namespace blindspot {

TokenAssembly::TokenAssembly(Device& device, std::span<const float> class_token, std::span<const float> position)
    : device_(&device) {
  const auto width = static_cast<std::int64_t>(class_token.size());
  class_token_ = device.constant(class_token, {width});
  position_ = device.constant(position, {static_cast<std::int64_t>(position.size()) / width, width});
}

Array TokenAssembly::forward(const Array& patches) {
  const Shape& shape = patches.shape();
  Array tokens = device_->array(Type::float32, {shape[0], shape[1] + 1, shape[2]});
  device_->assemble_tokens(patches, class_token_, position_, tokens);
  return tokens;
}

Array TokenAssembly::input_gradient(const Array& dtokens) {
  const Shape& shape = dtokens.shape();
  Array dpatches = device_->activation({shape[0], shape[1] - 1, shape[2]});
  device_->assemble_tokens_gradient(dtokens, dpatches);
  return dpatches;
}

}  // namespace blindspot
