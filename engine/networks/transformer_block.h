// One block of a vision transformer (Dosovitskiy et al. 2021, equations 2 and 3): attention and MLP, each behind a
// layer norm and added to the token stream. Sees layers. The stream is float32 in every precision and is updated in
// place.
#pragma once

#include <string>

#include "engine/layers/attention.h"
#include "engine/layers/layer_norm.h"
#include "engine/layers/linear.h"
#include "engine/networks/parameters.h"

namespace blindspot {

struct TransformerBlockDescription {
  std::int64_t batch = 0, tokens = 0, width = 0, heads = 0, mlp_width = 0;
  float layer_norm_epsilon = 1e-6F;
};

class TransformerBlock {
 public:
  /// `name`: "blocks.0".
  TransformerBlock(Device& device, const weights::StateDict& state, const TransformerBlockDescription& description,
                   std::string name);

  /// tokens float32 [N, T, D] → the same array, updated.
  Array forward(Array tokens);
  /// dtokens float32 [N, T, D] → the same array, updated.
  Array input_gradient(Array dtokens);

  void forget();
  const std::string& name() const { return name_; }

 private:
  Device* device_;
  Shape hidden_shape_;  // [N, T, D]
  std::string name_;
  LayerNormLayer norm1_;
  LinearLayer qkv_;
  AttentionLayer attention_;
  LinearLayer proj_;
  LayerNormLayer norm2_;
  LinearLayer fc1_, fc2_;
  Array before_gelu_;  // [N·T, mlp_width]
};

void declare_transformer_block(Declaration& tensors, const std::string& name, std::int64_t width,
                               std::int64_t mlp_width);

}  // namespace blindspot
