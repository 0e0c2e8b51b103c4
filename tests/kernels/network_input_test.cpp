// The network's input and the images' gradient against plain loops: each type, blocks, views, images that end before or
// after the input does, padding channels.
#include "kernels/network_input.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

constexpr kernels::Colours mean = {{0.485F, 0.456F, 0.406F}};
constexpr kernels::Colours deviation = {{0.229F, 0.224F, 0.225F}};

/// Calls body(image element, input element, colour) for every pair that belongs together.
template <class Body>
void for_pairs(const kernels::InputShape& shape, const Body& body) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t colour = 0; colour < 3; ++colour) {
      for (std::int64_t h = 0; h < shape.height; ++h) {
        for (std::int64_t w = 0; w < shape.width; ++w) {
          const std::int64_t row = h / shape.block, column = w / shape.block;
          if (row >= shape.rows || column >= shape.columns) continue;
          const std::int64_t channel = ((h % shape.block) * shape.block + w % shape.block) * 3 + colour;
          body(static_cast<std::size_t>(((n * 3 + colour) * shape.height + h) * shape.width + w),
               static_cast<std::size_t>(((n * shape.rows + row) * shape.columns + column) * shape.channels + channel),
               static_cast<double>(mean.values[colour]), static_cast<double>(deviation.values[colour]));
        }
      }
    }
  }
}

template <class T>
void check(const kernels::InputShape& shape, std::size_t shift) {
  CAPTURE(shape.block);
  CAPTURE(shape.channels);
  CAPTURE(shift);
  const std::int64_t image_count = shape.batch * 3 * shape.height * shape.width;
  const std::int64_t input_count = shape.batch * shape.rows * shape.columns * shape.channels;
  const Values images = random_values(image_count, 1, 0, 1), dy = rounded<T>(random_values(input_count, 2));
  Values y(dy.size()), dimages(images.size());
  for_pairs(shape, [&](std::size_t image, std::size_t input, double centre, double spread) {
    y[input] = (images[image] - centre) / spread;
    dimages[image] = dy[input] / spread;
  });
  const DeviceValues<float> device_images(images, shift), device_dimages(room(image_count), shift);
  const DeviceValues<T> device_y(room(input_count), shift), device_dy(dy, shift);
  REQUIRE(kernels::network_input(device_images.data(), mean, deviation, device_y.data(), element_of<T>(), shape,
                                 nullptr) == cudaSuccess);
  CHECK(largest_error(device_y.values(), y) < tolerance<T>());
  REQUIRE(kernels::image_gradient(device_dy.data(), deviation, nullptr, device_dimages.data(), element_of<T>(), shape,
                                  nullptr) == cudaSuccess);
  CHECK(largest_error(device_dimages.values(), dimages) < tolerance<float>());

  Values accepted(static_cast<std::size_t>(shape.batch)), kept = dimages;
  for (std::size_t n = 0; n < accepted.size(); ++n) accepted[n] = static_cast<double>(n % 2);
  const DeviceValues<float> device_kept(room(image_count), shift);
  const DeviceValues<std::uint8_t> flags(accepted);
  REQUIRE(kernels::image_gradient(device_dy.data(), deviation, flags.data(), device_kept.data(), element_of<T>(), shape,
                                  nullptr) == cudaSuccess);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (accepted[i * accepted.size() / kept.size()] == 0) kept[i] = room(1)[0];
  }
  CHECK(largest_error(device_kept.values(), kept, 1) < 100 * tolerance<float>());
}

}  // namespace

TEST_CASE_TEMPLATE("network_input and image_gradient", T, float, __nv_bfloat16, __half) {
  for (const std::size_t shift : {0U, 1U}) {
    check<T>({1, 1, 1, 1, 1, 3, 1}, shift);
    check<T>({7, 5, 6, 5, 6, 4, 1}, shift);
    check<T>({2, 32, 32, 32, 32, 3, 1}, shift);
    check<T>({2, 8, 12, 4, 6, 12, 2}, shift);
    check<T>({2, 7, 9, 4, 5, 12, 2}, shift);
    check<T>({2, 8, 10, 6, 7, 16, 2}, shift);
    check<T>({1, 32, 34, 2, 3, 768, 16}, shift);
    check<T>({3, 11, 13, 3, 4, 50, 4}, shift);
    check<T>({2, 24, 24, 2, 3, 192, 8}, shift);
    check<T>({1, 9, 8, 2, 2, 27, 3}, shift);  // the input ends before the image
    check<T>({2, 12, 16, 5, 7, 12, 2}, shift);
    check<T>({0, 9, 8, 3, 3, 27, 3}, shift);
  }
}

}  // namespace blindspot::tests
