// Structural similarity of pairs of images (Wang et al. 2004, 11-tap Gaussian). Launchers only; layouts and formulas in
// ssim.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

struct SsimShape {
  std::int64_t images, channels, height, width;
};

/// whole: the mean over every pixel, variances clamped at 0. interior: without 5 pixels at each edge, not clamped.
enum class SsimMean : std::uint8_t { whole, interior };

/// Doubles of scratch memory that ssim needs.
std::int64_t ssim_scratch(const SsimShape& shape);

/// result[n] (double) = SSIM of a[n] and b[n], float32 [images, channels, height, width], data range 1. Both sides must
/// be 6 at least, 11 for the interior mean; else cudaErrorInvalidValue.
cudaError_t ssim(const float* a, const float* b, const SsimShape& shape, SsimMean mean, double* scratch, double* result,
                 cudaStream_t stream);

}  // namespace blindspot::kernels
