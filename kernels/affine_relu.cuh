// Scale and shift of each channel followed by a ReLU (pre-activation networks), and the gradient. Launchers only;
// layouts and formulas in affine_relu.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Where the channels are the last dimension of an array of `count` elements; at most 2^19 of them.
struct AffineSizes {
  std::int64_t count, channels;
};

/// y = max(scale·x + shift, 0) for each channel, mask bit i = it was > 0 or NaN. y may be x.
cudaError_t affine_relu(const void* x, const float* scale, const float* shift, void* y, std::uint8_t* mask,
                        Element element, AffineSizes sizes, cudaStream_t stream);

/// dx = scale ⊙ mask ⊙ dy (+ dx). dx may be dy.
cudaError_t affine_relu_gradient(const void* dy, const float* scale, const std::uint8_t* mask, void* dx,
                                 bool accumulate, Element element, AffineSizes sizes, cudaStream_t stream);

}  // namespace blindspot::kernels
