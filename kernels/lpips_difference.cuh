// One layer's term of LPIPS (Zhang et al. 2018): how far the features of two images lie apart. Launchers only; layouts
// and formulas in lpips_difference.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

struct LpipsShape {
  std::int64_t images, pixels, channels;
};

/// Doubles of scratch memory that lpips_difference needs.
std::int64_t lpips_difference_scratch(const LpipsShape& shape);

/// result[n] (double) = mean over pixels of Σ_c weight[c]·(â_c − b̂_c)², â = a/(√Σa² + 1e-10) over channels and b̂ alike;
/// a and b [images, pixels, channels], weight float32 [channels]. `accumulate`: the mean is added to result.
cudaError_t lpips_difference(const void* a, const void* b, Element element, const float* weight,
                             const LpipsShape& shape, bool accumulate, double* scratch, double* result,
                             cudaStream_t stream);

}  // namespace blindspot::kernels
