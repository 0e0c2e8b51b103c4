// Implementation of transformer_block.h.
#include "engine/networks/transformer_block.h"

#include <utility>

namespace blindspot {

namespace {

LinearDescription rows_to(Device& device, const TransformerBlockDescription& block, std::int64_t in_features,
                          std::int64_t out_features) {
  LinearDescription linear;
  linear.rows = block.batch * block.tokens;
  linear.in_features = in_features;
  linear.out_features = out_features;
  linear.input = linear.output = device.activation_type();
  return linear;
}

/// A branch's last layer: adds to the float32 stream.
LinearDescription rows_onto_stream(Device& device, const TransformerBlockDescription& block, std::int64_t in_features) {
  LinearDescription linear = rows_to(device, block, in_features, block.width);
  linear.output = Type::float32;
  linear.accumulate = true;
  return linear;
}

}  // namespace

TransformerBlock::TransformerBlock(Device& device, const weights::StateDict& state,
                                   const TransformerBlockDescription& d, std::string name)
    : device_(&device),
      hidden_shape_{d.batch, d.tokens, d.width},
      name_(std::move(name)),
      norm1_(layer_norm(device, state, name_ + ".norm1", Type::float32, d.layer_norm_epsilon)),
      qkv_(linear_layer(device, state, name_ + ".attn.qkv", rows_to(device, d, d.width, 3 * d.width))),
      attention_(device, {d.batch, d.tokens, d.heads, d.width / d.heads}),
      proj_(linear_layer(device, state, name_ + ".attn.proj", rows_onto_stream(device, d, d.width))),
      norm2_(layer_norm(device, state, name_ + ".norm2", Type::float32, d.layer_norm_epsilon)),
      fc1_(linear_layer(device, state, name_ + ".mlp.fc1", rows_to(device, d, d.width, d.mlp_width))),
      fc2_(linear_layer(device, state, name_ + ".mlp.fc2", rows_onto_stream(device, d, d.mlp_width))) {}

Array TransformerBlock::forward(Array tokens) {
  Array h = norm1_.forward(tokens);
  h = qkv_.forward(h);  // [N·T, 3·D]
  const Array& attended = attention_.forward(std::move(h));
  tokens = proj_.forward(attended.reshaped(hidden_shape_), std::move(tokens));

  h = norm2_.forward(tokens);
  before_gelu_ = fc1_.forward(h);  // [N·T, mlp_width]
  h = device_->activation(before_gelu_.shape());
  device_->gelu(before_gelu_, h);
  return fc2_.forward(h, std::move(tokens));
}

Array TransformerBlock::input_gradient(Array dtokens) {
  Array dh = fc2_.input_gradient(dtokens);  // [N·T, mlp_width]
  device_->gelu_gradient(before_gelu_, dh);
  before_gelu_ = Array();
  dh = fc1_.input_gradient(dh);  // [N·T, D]
  dtokens = norm2_.input_gradient(dh.reshaped(hidden_shape_), std::move(dtokens));
  norm2_.forget();

  dh = proj_.input_gradient(dtokens);
  dh = attention_.input_gradient(dh);  // [N, T, 3, heads, head_width]
  attention_.forget();
  dh = qkv_.input_gradient(dh.reshaped({hidden_shape_.rows(), 3 * hidden_shape_.last()}));
  dtokens = norm1_.input_gradient(dh.reshaped(hidden_shape_), std::move(dtokens));
  norm1_.forget();
  return dtokens;
}

void TransformerBlock::forget() {
  norm1_.forget();
  attention_.forget();
  norm2_.forget();
  before_gelu_ = Array();
}

void declare_transformer_block(Declaration& tensors, const std::string& name, std::int64_t width,
                               std::int64_t mlp_width) {
  tensors.layer_norm(name + ".norm1", width);
  tensors.linear(name + ".attn.qkv", 3 * width, width);
  tensors.linear(name + ".attn.proj", width, width);
  tensors.layer_norm(name + ".norm2", width);
  tensors.linear(name + ".mlp.fc1", mlp_width, width);
  tensors.linear(name + ".mlp.fc2", width, mlp_width);
}

}  // namespace blindspot
