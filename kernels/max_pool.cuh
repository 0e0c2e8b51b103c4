// Max pooling of channels-last images, and its gradient. Launchers only; layouts and formulas in max_pool.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// [batch, height, width, channels].
struct ImageShape {
  std::int64_t batch, height, width, channels;
};

/// Square windows; kernel at most 15, padding at most half of it, so that every window holds an input.
struct PoolWindow {
  std::int64_t kernel, stride, padding;
};

/// y[n, r, c, k] = the largest of its window in x; index: which tap, row-major in the window. The first of equal ones
/// wins, the last NaN of a window that has any. `in` is the shape of x.
cudaError_t max_pool(const void* x, void* y, std::uint8_t* index, Element element, const ImageShape& in,
                     const PoolWindow& window, cudaStream_t stream);

/// dx = mask ⊙ (the sum of the dy whose maximum was here); `mask` null: no ReLU. `in` is the shape of dx.
cudaError_t max_pool_gradient(const void* dy, const std::uint8_t* index, const std::uint8_t* mask, void* dx,
                              Element element, const ImageShape& in, const PoolWindow& window, cudaStream_t stream);

}  // namespace blindspot::kernels
