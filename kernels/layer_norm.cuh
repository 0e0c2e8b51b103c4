// Layer norm over the last size, and its input gradient: for transformers, and over the channels of a convolution stem.
// Launchers only; layouts and formulas in layer_norm.cu and layer_norm_gradient.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

struct LayerNormShape {
  std::int64_t rows, width;
};

/// x [rows, width] is float32 or of the activation type, y and normalised are of the activation type; scale and shift
/// [width] and inverse_deviation [rows] are float32.
struct LayerNormArrays {
  const void* x;
  Element x_element;
  const float *scale, *shift;
  void *y, *normalised;
  Element activation;
  float* inverse_deviation;
};

/// normalised = (x − mean)·inverse_deviation, inverse_deviation = 1/√(variance + epsilon), y = scale·normalised +
/// shift. cudaErrorInvalidValue where x is of a third type.
cudaError_t layer_norm(const LayerNormShape& shape, const LayerNormArrays& arrays, float epsilon, cudaStream_t stream);

/// dx [rows, width] is float32 or of the activation type, dy and normalised are of the activation type.
struct LayerNormGradientArrays {
  const void *dy, *normalised;
  Element activation;
  const float *scale, *inverse_deviation;
  void* dx;
  Element dx_element;
};

/// dx = inverse_deviation·(g − mean(g) − normalised·mean(g·normalised)) (+ dx), g = scale·dy. dx may be dy where their
/// types are one.
cudaError_t layer_norm_gradient(const LayerNormShape& shape, const LayerNormGradientArrays& arrays, bool accumulate,
                                cudaStream_t stream);

}  // namespace blindspot::kernels
