// From images to the network's input and back, on the CPU: normalised, channels-last, space-to-depth by any block.
// Bound by memory, and a small part of an iteration, so plain loops serve. May use operations.h.
#include <array>
#include <bit>

#include "engine/cpu/operations.h"

namespace blindspot::cpu {
namespace {

constexpr std::int64_t colours = 3;

float loaded(float value) {
  return value;
}
float loaded(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

void put(float value, float& to) {
  to = value;
}
void put(float value, Bfloat16& to) {  // to nearest even; NaN stays NaN
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t upper = value != value ? (bits >> 16) | 0x40 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  to = static_cast<Bfloat16>(upper);
}

struct InputSizes {
  std::int64_t image_height, image_width, rows, columns, channels, block;
};

/// One output row: y [columns, channels] of row `row` of one image.
template <typename Element>
void input_row(const float* image, const std::array<float, 3>& mean, const std::array<float, 3>& deviation,
               const InputSizes& sizes, std::int64_t row, Element* y) {
  const std::int64_t block = sizes.block;
  std::fill_n(y, sizes.columns * sizes.channels, Element{});
  for (std::int64_t dy = 0; dy < block && row * block + dy < sizes.image_height; ++dy) {
    for (std::int64_t colour = 0; colour < colours; ++colour) {
      const float* pixels = image + (colour * sizes.image_height + row * block + dy) * sizes.image_width;
      const float centre = mean[static_cast<std::size_t>(colour)];
      const float spread = deviation[static_cast<std::size_t>(colour)];
      for (std::int64_t dx = 0; dx < block; ++dx) {
        const std::int64_t columns = std::min(sizes.columns, (sizes.image_width - dx + block - 1) / block);
        Element* to = y + (dy * block + dx) * colours + colour;
        for (std::int64_t column = 0; column < columns; ++column) {
          put((pixels[column * block + dx] - centre) / spread, to[column * sizes.channels]);
        }
      }
    }
  }
}

/// One row of one colour of the image's gradient.
template <typename Element>
void gradient_row(const Element* dy, float deviation, const InputSizes& sizes, std::int64_t colour, std::int64_t row,
                  float* dimage) {
  const std::int64_t block = sizes.block;
  std::fill_n(dimage, sizes.image_width, 0.0F);
  if (row / block >= sizes.rows) return;
  const Element* from = dy + (row / block) * sizes.columns * sizes.channels + (row % block) * block * colours + colour;
  for (std::int64_t dx = 0; dx < block; ++dx) {
    const std::int64_t columns = std::min(sizes.columns, (sizes.image_width - dx + block - 1) / block);
    for (std::int64_t column = 0; column < columns; ++column) {
      dimage[column * block + dx] = loaded(from[column * sizes.channels + dx * colours]) / deviation;
    }
  }
}

InputSizes input_sizes(const Array& images, const Array& y, std::int64_t block, const char* operation) {
  const Shape& image = images.shape();
  const Shape& input = y.shape();
  require(images.type() == Type::float32 && image.rank() == 4 && input.rank() == 4 && image[0] == input[0] &&
              image[1] == colours && block >= 1 && input[3] >= block * block * colours,
          operation);
  return {image[2], image[3], input[1], input[2], input[3], block};
}

}  // namespace

void CpuDevice::network_input(const Array& images, const InputLayout& layout, Array& y) {
  const InputSizes sizes = input_sizes(images, y, layout.block, "network_input");
  const std::int64_t row_elements = sizes.columns * sizes.channels;
  const std::int64_t image_elements = colours * sizes.image_height * sizes.image_width;
  with_element(y.type(), "network_input", [&]<typename Element>(Element) {
    parallel_for(images.shape()[0] * sizes.rows, rows_per_part(row_elements),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t at = begin; at < end; ++at) {
                     input_row(elements<float>(images) + (at / sizes.rows) * image_elements, layout.mean,
                               layout.deviation, sizes, at % sizes.rows, elements<Element>(y) + at * row_elements);
                   }
                 });
  });
}

void CpuDevice::image_gradient(const Array& dy, const InputLayout& layout, const Array* accepted, Array& dimages) {
  const InputSizes sizes = input_sizes(dimages, dy, layout.block, "image_gradient");
  require(accepted == nullptr || (accepted->type() == Type::uint8 && accepted->shape().count() == dy.shape()[0]),
          "image_gradient");
  const std::int64_t image_rows = colours * sizes.image_height;
  const std::int64_t input_elements = sizes.rows * sizes.columns * sizes.channels;
  with_element(dy.type(), "image_gradient", [&]<typename Element>(Element) {
    parallel_for(dimages.shape()[0] * image_rows, rows_per_part(sizes.image_width),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t at = begin; at < end; ++at) {
                     const std::int64_t image = at / image_rows;
                     if (accepted != nullptr && elements<std::uint8_t>(*accepted)[image] == 0) continue;
                     const std::int64_t colour = at % image_rows / sizes.image_height;
                     gradient_row(elements<Element>(dy) + image * input_elements,
                                  layout.deviation[static_cast<std::size_t>(colour)], sizes, colour,
                                  at % sizes.image_height, elements<float>(dimages) + at * sizes.image_width);
                   }
                 });
  });
}

}  // namespace blindspot::cpu
