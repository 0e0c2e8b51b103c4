// From float32 images to a network's input in its own layout and type, and the way back for the gradient. Launchers
// only; layouts and formulas in network_input.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// images [batch, 3, height, width] and input [batch, rows, columns, channels], where a pixel of the input holds a
/// square of `block` · `block` image pixels; channels ≥ 3·block².
struct InputShape {
  std::int64_t batch, height, width, rows, columns, channels, block;
};

struct Colours {
  float values[3];
};

/// y[n, h, w, (dy·block + dx)·3 + c] = (images[n, c, h·block + dy, w·block + dx] − mean[c])/deviation[c]; zero where
/// the image has ended and in channels from 3·block² on. y is of type `element`.
cudaError_t network_input(const float* images, const Colours& mean, const Colours& deviation, void* y, Element element,
                          const InputShape& shape, cudaStream_t stream);

/// dimages[n, c, h, w] = the gradient of the place that held the pixel, divided by deviation[c]; zero where none did.
/// Images with accepted[n] = 0 stay as they are; `accepted` null: all are written.
cudaError_t image_gradient(const void* dy, const Colours& deviation, const std::uint8_t* accepted, float* dimages,
                           Element element, const InputShape& shape, cudaStream_t stream);

}  // namespace blindspot::kernels
