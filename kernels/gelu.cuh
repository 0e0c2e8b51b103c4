// GELU with the exact normal distribution, and its gradient. Launchers only; formulas in gelu.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// y = x·Φ(x); y may be x.
cudaError_t gelu(const void* x, void* y, Element element, std::int64_t count, cudaStream_t stream);

/// dy ← dy·(Φ(x) + x·φ(x)).
cudaError_t gelu_gradient(const void* x, void* dy, Element element, std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
