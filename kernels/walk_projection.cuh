// Where the walk stands, and how far its direction lies along the gradient. Launchers only; layouts and formulas in
// walk_projection.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Doubles of scratch memory that walk_projection needs.
std::int64_t walk_projection_scratch(std::int64_t images, std::int64_t count);

struct WalkProjection {
  bool zero_gradient_is_nan;  ///< J = 0: coefficient NaN, else 0
  bool poison;                ///< where not accepted image[b] ← image[b] + 0·candidate[b]
};

/// float32 [images, count], `accepted` [images], scratch as above, `coefficient` float32 [images].
struct WalkProjectionArrays {
  const float *gradient, *target, *candidate;
  const std::uint8_t* accepted;
  float* image;
  double* scratch;
  float* coefficient;
};

/// image[b] ← candidate[b] where accepted[b]; then coefficient[b] = (J·v)/(J·J), v = target − image.
cudaError_t walk_projection(const WalkProjection& how, const WalkProjectionArrays& arrays, std::int64_t images,
                            std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
