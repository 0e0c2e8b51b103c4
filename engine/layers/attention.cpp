// Implementation of attention.h.
#include "engine/layers/attention.h"

namespace blindspot {

namespace {

Shape qkv_shape(const AttentionDescription& d) {
  return {d.batch, d.tokens, 3, d.heads, d.head_width};
}
Shape out_shape(const AttentionDescription& d) {
  return {d.batch, d.tokens, d.heads, d.head_width};
}

}  // namespace

AttentionLayer::AttentionLayer(Device& device, const AttentionDescription& description)
    : device_(&device), description_(description), attention_(device.attention(description)) {}

const Array& AttentionLayer::forward(Array qkv) {
  qkv_ = std::move(qkv);
  out_ = device_->activation(out_shape(description_));
  log_sum_exp_ = device_->array(Type::float32, {description_.batch, description_.heads, description_.tokens});
  attention_->forward(qkv_.reshaped(qkv_shape(description_)), out_, log_sum_exp_);
  return out_;
}

Array AttentionLayer::input_gradient(const Array& dout) {
  Array dqkv = device_->activation(qkv_shape(description_));
  attention_->input_gradient(qkv_.reshaped(qkv_shape(description_)), out_, log_sum_exp_,
                             dout.reshaped(out_shape(description_)), dqkv);
  return dqkv;
}

void AttentionLayer::forget() {
  qkv_ = Array();
  out_ = Array();
  log_sum_exp_ = Array();
}

}  // namespace blindspot
