// GELU and its derivative for vector_kernels.cpp: the normal distribution's density and distribution function in
// float32. As in vector_blocks.h, nothing is included that the levels could share.
//
// With a = |x|, t = (a − 4)/(a + 4): 1 − Φ(a) = exp(−a²/2)·P(t)/(a + 4), P of degree 9 fitted to (a + 4)·erfc(a/√2)/2 ·
// exp(a²/2) on 0 ≤ a ≤ 13; exp(r) of degree 6 on |r| ≤ 1.01·ln 2/2. Both polynomials interpolate at Chebyshev nodes in
// 30 decimal digits (fit errors 8e-9 and 2e-9, absolute). a² is formed from a high part whose square is exact and a
// small rest, so that the tail keeps its relative accuracy.
#pragma once

#include "engine/cpu/vector_blocks.h"

namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL {

/// Beyond this |x|, Φ and φ are below 1e-37 and taken as they are here.
constexpr float normal_end = 13.0F;

struct Normal {
  float distribution;  ///< Φ(x)
  float density;       ///< φ(x)
};

/// exp(r)·2ᵏ, |r| ≤ 1.01·ln 2/2; `shifted` is 1.5·2²³ + k, whose last bits are k.
inline float scaled_exponential(float r, float shifted) {
  float sum = 0.00139421598F;
  sum = sum * r + 0.00837596823F;
  sum = sum * r + 0.0416663401F;
  sum = sum * r + 0.166664053F;
  sum = sum * r + 0.500000005F;
  sum = sum * r + 1.0F;
  sum = sum * r + 1.0F;
  const std::uint32_t scale = (__builtin_bit_cast(std::uint32_t, shifted) + 127U) << 23;
  return sum * __builtin_bit_cast(float, scale);
}

/// exp(−a²/2), 0 ≤ a ≤ normal_end.
inline float half_square_exponential(float a) {
  const float high = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, a) & 0xfffff000U);
  const float exponent = -0.5F * high * high;
  const float rest = -0.5F * (a - high) * (a + high);
  constexpr float round_to_integer = 12582912.0F;  // 1.5·2²³: the sum's last bit is worth 1
  const float shifted = exponent * 1.44269504F + round_to_integer;
  const float power = shifted - round_to_integer;
  const float r = ((exponent - power * 0.693359375F) + power * 2.12194440e-4F) + rest;
  return scaled_exponential(r, shifted);
}

inline Normal normal(float x) {
  const float magnitude = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, x) & 0x7fffffffU);
  const float a = magnitude < normal_end ? magnitude : normal_end;
  const float exponential = half_square_exponential(a);
  const float inverse = 1.0F / (a + 4.0F);
  const float t = (a - 4.0F) * inverse;
  float sum = -0.000113815705F;
  sum = sum * t + 0.0002165197531F;
  sum = sum * t + 0.001580528864F;
  sum = sum * t - 0.003531226238F;
  sum = sum * t - 0.007534081622F;
  sum = sum * t + 0.06040685519F;
  sum = sum * t - 0.1865219905F;
  sum = sum * t + 0.3871367201F;
  sum = sum * t - 0.6078966428F;
  sum = sum * t + 0.7552851376F;
  const float beyond = exponential * sum * inverse;
  return {x < 0.0F ? beyond : 1.0F - beyond, exponential * 0.398942280F};
}

/// Keeps x·Φ and x·φ small where Φ and φ have stopped falling; NaN stays NaN.
inline float above_end(float x) {
  return x < -normal_end ? -normal_end : x;
}
inline float below_end(float x) {
  return x > normal_end ? normal_end : x;
}

/// Largest error against double on −12 … 12: 4.5 units in the last place of the result.
template <typename Element>
void gelu(const Element* x, Element* y, std::int64_t count) {
  Block block;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(x + i, count - i, block);
    for (float& value : block.values) value = above_end(value) * normal(value).distribution;
    store_block(block, y + i, count - i);
  }
}

/// Largest error of Φ(x) + x·φ(x) against double on −12 … 12: 1.9e-7.
template <typename Element>
void gelu_gradient(const Element* x, Element* dy, std::int64_t count) {
  Block block, gradient;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(x + i, count - i, block);
    load_block(dy + i, count - i, gradient);
    for (int lane = 0; lane < lanes; ++lane) {
      const float value = block.values[lane];
      const Normal parts = normal(value);
      gradient.values[lane] *= parts.distribution + below_end(above_end(value)) * parts.density;
    }
    store_block(gradient, dy + i, count - i);
  }
}

}  // namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL
