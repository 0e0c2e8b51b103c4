// Multi-head self-attention between its two projections (Vaswani et al. 2017): softmax(Q Kᵀ/√head_width) V for each
// head. May use device.h. Keeps Q, K, V, the result and the log-sum-exp of each row; never the matrix of weights.
#pragma once

#include <memory>

#include "engine/device.h"

namespace blindspot {

class AttentionLayer {
 public:
  AttentionLayer(Device& device, const AttentionDescription& description);

  /// qkv, [N·T, 3·width] or [N, T, 3, heads, head_width] → [N, T, heads, head_width], which stays owned by the layer
  /// until `forget`.
  const Array& forward(Array qkv);

  /// dout [N·T, width] → dqkv [N, T, 3, heads, head_width].
  Array input_gradient(const Array& dout);
  void forget();

 private:
  Device* device_;
  AttentionDescription description_;
  std::unique_ptr<Attention> attention_;
  Array qkv_, out_;
  Array log_sum_exp_;  // float32 [N, heads, T]
};

}  // namespace blindspot
