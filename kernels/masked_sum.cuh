// Sums of arrays under the bits of a ReLU: the gradient of a ReLU, a plain sum, and both at once after an input
// gradient that cannot do so itself. Launchers only; layouts and formulas in masked_sum.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// dx = mask ⊙ (a + b), rounded once. `b` null: nothing is added; `mask` null: no ReLU. dx may be a or b.
cudaError_t masked_sum(const void* a, const void* b, const std::uint8_t* mask, void* dx, Element element,
                       std::int64_t count, cudaStream_t stream);

/// dx ← mask ⊙ dx.
cudaError_t relu_gradient(void* dx, const std::uint8_t* mask, Element element, std::int64_t count, cudaStream_t stream);

/// to ← to + from.
cudaError_t add(const void* from, void* to, Element element, std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
