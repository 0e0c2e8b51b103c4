// How far the walk's direction lies along the gradient. Launchers only; layouts and formulas in walk_projection.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Doubles of scratch memory that walk_projection needs.
std::int64_t walk_projection_scratch(std::int64_t images, std::int64_t count);

/// coefficient[b] = (J·v)/(J·J), v = target − image, of images of `count` elements. J = 0: coefficient 0, or NaN if
/// `zero_gradient_is_nan`.
cudaError_t walk_projection(const float* gradient, const float* image, const float* target, std::int64_t images,
                            std::int64_t count, bool zero_gradient_is_nan, double* scratch, float* coefficient,
                            cudaStream_t stream);

}  // namespace blindspot::kernels
