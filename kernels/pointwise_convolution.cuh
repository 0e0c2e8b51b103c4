// A convolution of 1×1 taps and stride 1 with all that follows it, and its input gradient with all that follows that,
// in one pass over memory. Launcher only; layouts and formula in pointwise_convolution.cu.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Another number whenever the kernel's results or its speed change: choices that were made with it are made anew.
constexpr int pointwise_revision = 1;

struct PointwiseSizes {
  std::int64_t pixels, in_channels, out_channels;
};

/// What happens to x·wᵀ, in this order.
struct PointwiseEpilogue {
  bool accumulate = false;               ///< y is added
  const float* bias = nullptr;           ///< [out_channels], added
  std::uint8_t* relu_mask = nullptr;     ///< max(·, 0), and its bits are written here, as in relu.cuh
  const std::uint8_t* masked = nullptr;  ///< zero where these bits are
};

/// Whether arrays of these sizes can be taken, all of them at multiples of 16 bytes; a block takes up to 96 KiB of
/// `shared_memory_limit`.
bool takes_pointwise(const PointwiseSizes& sizes, std::size_t shared_memory_limit);

/// y [pixels, out_channels] from x [pixels, in_channels] and weight [out_channels, in_channels], rounded once.
cudaError_t pointwise_convolution(const void* x, const void* weight, void* y, Element element,
                                  const PointwiseSizes& sizes, const PointwiseEpilogue& epilogue, cudaStream_t stream);

}  // namespace blindspot::kernels
