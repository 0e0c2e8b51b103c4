// New images from given ones: weighted sums of them (hull, path, simplex), and steps along directions (path width).
// Launchers only; layouts and formulas in mix_points.cu and width_points.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// out[p] = Σ_j weights[p, j]·images[j], j ascending, in double and rounded once; images [vertices, count], weights
/// double [points, vertices], out [points, count]. `clamp`: the result is clamped to [0, 1].
cudaError_t mix_points(const float* images, const double* weights, std::int64_t vertices, std::int64_t points,
                       std::int64_t count, bool clamp, float* out, cudaStream_t stream);

/// Doubles of scratch memory that width_factors needs.
std::int64_t width_factors_scratch(std::int64_t directions, std::int64_t count);

/// For direction d of `directions` [directions, count]: factors [directions, 2] with u = factors[0]·d − factors[1]·v
/// the direction made orthogonal to v [count] and scaled to unit length. Zeros where v is 0 or d lies along v.
cudaError_t width_factors(const float* direction, const float* v, std::int64_t directions, std::int64_t count,
                          double* scratch, double* factors, cudaStream_t stream);

/// out[k] = clamp(x + radius·u_k, 0, 1), formed in double and rounded once; x and v [count], direction and out
/// [directions, count], factors from width_factors.
cudaError_t width_points(const float* x, const float* v, const float* direction, const double* factors, double radius,
                         std::int64_t directions, std::int64_t count, float* out, cudaStream_t stream);

}  // namespace blindspot::kernels
