// What follows a convolution where the library does not do it in the same pass: residual, bias, ReLU and its bits.
// Launcher only; layouts and formula in convolution_epilogue.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Where the channels are the last dimension of an array of `count` elements; at most 2^30 of them.
struct EpilogueSizes {
  std::int64_t count, channels;
};

/// y = relu?(x + residual + bias), rounded once; `residual` null: nothing is added; `mask` null: no ReLU, else its bits
/// as in relu.cuh. y may be x or residual.
cudaError_t convolution_epilogue(const void* x, const void* residual, const float* bias, void* y, std::uint8_t* mask,
                                 Element element, EpilogueSizes sizes, cudaStream_t stream);

}  // namespace blindspot::kernels
