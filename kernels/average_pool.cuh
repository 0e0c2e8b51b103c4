// Adaptive average pooling of channels-last images, and its gradient. Launchers only; layouts and formulas in
// average_pool.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// [batch, height, width, channels] and [batch, out_height, out_width, channels].
struct AverageShape {
  std::int64_t batch, height, width, channels, out_height, out_width;
};

/// y[n, r, c, k] = the average of rows ⌊rH/H'⌋ … ⌈(r+1)H/H'⌉ − 1 and columns likewise of x. y is of x's element type,
/// or float32.
cudaError_t average_pool(const void* x, Element x_element, void* y, Element y_element, const AverageShape& shape,
                         cudaStream_t stream);

/// dx = mask ⊙ (the sum of dy/(size of the window) over the windows that read it); `mask` null: no ReLU. dy is of dx's
/// element type, or float32.
cudaError_t average_pool_gradient(const void* dy, Element dy_element, const std::uint8_t* mask, void* dx,
                                  Element dx_element, const AverageShape& shape, cudaStream_t stream);

}  // namespace blindspot::kernels
