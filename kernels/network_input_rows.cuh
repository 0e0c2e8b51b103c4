// Where the elements of a network's input row come from: shared by the kernels that write such rows. May use
// network_input.cuh and launch.cuh.
#pragma once

#include <cstdint>

#include "kernels/launch.cuh"
#include "kernels/network_input.cuh"

namespace blindspot::kernels {

constexpr int colours = 3;

struct InputSizes {
  int height, width, rows, columns, channels, block;
};

/// An element of an input row, which knows the next without dividing.
struct InputPlace {
  int column, channel, block_row, block_column, colour;

  __device__ InputPlace(std::uint32_t element, const InputSizes& sizes)
      : column(static_cast<int>(element) / sizes.channels), channel(static_cast<int>(element) % sizes.channels) {
    const int pixel = channel / colours;
    colour = channel % colours;
    block_row = pixel / sizes.block;
    block_column = pixel % sizes.block;
  }
  __device__ void advance(const InputSizes& sizes) {
    if (++channel == sizes.channels) {
      ++column;
      channel = block_row = block_column = colour = 0;
    } else if (++colour == colours) {
      colour = 0;
      if (++block_column == sizes.block) {
        block_column = 0;
        ++block_row;
      }
    }
  }
};

/// The element of row `row` at `place`: normalised, or zero where the image has ended and in padding channels.
__device__ inline float input_value(const float* images, std::int64_t image, int row, const InputPlace& place,
                                    const InputSizes& sizes, const Colours& mean, const Colours& deviation) {
  const int image_row = row * sizes.block + place.block_row;
  const int image_column = place.column * sizes.block + place.block_column;
  if (place.block_row >= sizes.block || image_row >= sizes.height || image_column >= sizes.width) return 0.0F;
  const std::int64_t from = (image * colours + place.colour) * sizes.height + image_row;
  return (images[from * sizes.width + image_column] - mean.values[place.colour]) / deviation.values[place.colour];
}

inline InputSizes input_sizes(const InputShape& shape) {
  return {static_cast<int>(shape.height),  static_cast<int>(shape.width),    static_cast<int>(shape.rows),
          static_cast<int>(shape.columns), static_cast<int>(shape.channels), static_cast<int>(shape.block)};
}

}  // namespace blindspot::kernels
