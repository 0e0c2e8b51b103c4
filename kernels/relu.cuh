// ReLU with one bit a value kept for the gradient. Launchers only; layouts and formulas in relu.cu. The gradient is a
// masked sum (masked_sum.cuh).
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// x ← max(x, 0), mask bit i = x_i > 0 or NaN. NaN stays NaN, −0 becomes 0.
cudaError_t relu(void* x, std::uint8_t* mask, Element element, std::int64_t count, cudaStream_t stream);

/// The bits alone, from the output of a ReLU that somebody else computed.
cudaError_t relu_mask(const void* y, std::uint8_t* mask, Element element, std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
