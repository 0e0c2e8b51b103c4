// Softmax of a row of attention scores and its gradient for vector_kernels.cpp, in float32. As in vector_blocks.h,
// nothing is included that the levels could share.
#pragma once

#include "engine/cpu/vector_blocks.h"
#include "engine/cpu/vector_gelu.h"

namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL {

/// exp(x) for x ≤ 88, relative error below 2e-7; 0 below −87, NaN for NaN. Cody and Waite's two-part ln 2, then the
/// polynomial of vector_gelu.h.
inline float exponential(float x) {
  const float bounded = x < -87.0F ? -87.0F : x;
  constexpr float round_to_integer = 12582912.0F;  // 1.5·2²³: the sum's last bit is worth 1
  const float shifted = bounded * 1.44269504F + round_to_integer;
  const float power = shifted - round_to_integer;
  const float r = (bounded - power * 0.693359375F) + power * 2.12194440e-4F;
  return x < -87.0F ? 0.0F : scaled_exponential(r, shifted);
}

/// The lanes' sum in the order of a tree.
inline float tree_sum(Block& block) {
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) block.values[lane] += block.values[lane + width];
  }
  return block.values[0];
}

inline float largest_value(const float* values, std::int64_t count) {
  Block largest, block;
  load_block(values, count, largest, values[0]);
  for (std::int64_t i = lanes; i < count; i += lanes) {
    load_block(values + i, count - i, block, values[0]);
    for (int lane = 0; lane < lanes; ++lane) {
      largest.values[lane] = block.values[lane] > largest.values[lane] ? block.values[lane] : largest.values[lane];
    }
  }
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) {
      const float other = largest.values[lane + width];
      largest.values[lane] = other > largest.values[lane] ? other : largest.values[lane];
    }
  }
  return largest.values[0];
}

template <typename Element>
SoftmaxSums softmax(float* scores, float scale, std::int64_t count, Element* probabilities) {
  const float largest = largest_value(scores, count);
  Block sums{};
  Block block;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(scores + i, count - i, block, largest);
    for (float& value : block.values) value = exponential(scale * (value - largest));
    store_block(block, scores + i, count - i);
    for (std::int64_t lane = smaller(count - i, lanes); lane < lanes; ++lane) block.values[lane] = 0.0F;
    for (int lane = 0; lane < lanes; ++lane) sums.values[lane] += block.values[lane];
  }
  const float sum = tree_sum(sums);
  const float inverse = 1.0F / sum;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(scores + i, count - i, block);
    for (float& value : block.values) value *= inverse;
    store_block(block, probabilities + i, count - i);
  }
  return {largest, sum};
}

template <typename Element>
void softmax_gradient(float* scores, const float* dprobabilities, float scale, float log_sum_exp, std::int64_t count,
                      Element* probabilities, Element* dscores) {
  Block sums{};
  Block block, gradient;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(scores + i, count - i, block);
    load_block(dprobabilities + i, count - i, gradient);  // 0 beyond the end
    for (float& value : block.values) value = exponential(scale * value - log_sum_exp);
    store_block(block, scores + i, count - i);
    store_block(block, probabilities + i, count - i);
    for (int lane = 0; lane < lanes; ++lane) sums.values[lane] += block.values[lane] * gradient.values[lane];
  }
  const float sum = tree_sum(sums);
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(scores + i, count - i, block);
    load_block(dprobabilities + i, count - i, gradient);
    for (int lane = 0; lane < lanes; ++lane) block.values[lane] *= scale * (gradient.values[lane] - sum);
    store_block(block, dscores + i, count - i);
  }
}

}  // namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL
