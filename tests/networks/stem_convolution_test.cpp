// The first convolution in its space-to-depth form against the convolution that it stands for, in double precision: any
// kernel, stride and padding, odd sizes, and inputs whose last pixels no kernel reaches.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/layers/stem_convolution.h"
#include "tests/networks/network_run.h"

namespace blindspot::tests {

namespace {

struct Case {
  std::int64_t height, width, kernel, stride, padding, out_channels;
};

/// ∑ over taps of weight·(x − mean)/deviation, or its transpose: calls visit(k, row, column, c, i, j, weight index).
template <typename Visit>
void for_each_tap(const Case& c, std::int64_t out_height, std::int64_t out_width, const Visit& visit) {
  for (std::int64_t k = 0; k < c.out_channels; ++k) {
    for (std::int64_t row = 0; row < out_height; ++row) {
      for (std::int64_t column = 0; column < out_width; ++column) {
        for (std::int64_t tap = 0; tap < 3 * c.kernel * c.kernel; ++tap) {
          const std::int64_t colour = tap / (c.kernel * c.kernel);
          const std::int64_t i = row * c.stride - c.padding + tap / c.kernel % c.kernel;
          const std::int64_t j = column * c.stride - c.padding + tap % c.kernel;
          if (i < 0 || i >= c.height || j < 0 || j >= c.width) continue;
          visit(static_cast<std::size_t>((k * out_height + row) * out_width + column),
                static_cast<std::size_t>((colour * c.height + i) * c.width + j),
                static_cast<std::size_t>(k * 3 * c.kernel * c.kernel + tap), static_cast<std::size_t>(colour));
        }
      }
    }
  }
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

void check(const Case& c) {
  CAPTURE(c.height);
  CAPTURE(c.kernel);
  CAPTURE(c.stride);
  const auto device = device_for(Precision::fp32);
  const NetworkInput input{2, c.height, c.width, {0.4F, 0.5F, 0.6F}, {0.2F, 0.3F, 0.25F}};
  weights::FoldedConvolution parameters;
  parameters.weight = weights::rule_values("stem", 1, c.out_channels * 3 * c.kernel * c.kernel, 1.0F, 0.0F);
  parameters.bias = weights::rule_values("bias", 1, c.out_channels, 1.0F, 0.0F);
  StemConvolution stem(*device, input, {c.out_channels, c.kernel, c.stride, c.padding, false}, parameters);
  const std::int64_t out_height = (c.height + 2 * c.padding - c.kernel) / c.stride + 1;
  const std::int64_t out_width = (c.width + 2 * c.padding - c.kernel) / c.stride + 1;
  REQUIRE(stem.output_shape() == Shape{2, out_height, out_width, c.out_channels});

  const std::vector<float> pixels =
      weights::rule_values("image", 7, std::int64_t{2} * 3 * c.height * c.width, 0.5F, 0.5F);
  Array images = device->array(Type::float32, {2, 3, c.height, c.width});
  device->upload(pixels, images);
  const LayerValues y = layer_values(*device, stem.forward(images_from(*device, images)));
  // dy in the engine's order of dimensions, and the same by image in [K, H', W'].
  Array dy = device->activation(stem.output_shape());
  device->upload(weights::rule_values("dy", 7, dy.shape().count(), 1.0F, 0.0F), dy);
  const LayerValues dy_by_image = layer_values(*device, dy);
  Array dimages = device->array(Type::float32, images.shape());
  stem.input_gradient(dy, gradient_into(*device, dimages));
  const LayerValues dx = layer_values(*device, dimages.reshaped({2, 3 * c.height * c.width}));

  const auto image_size = static_cast<std::size_t>(3 * c.height * c.width);
  for (std::size_t n = 0; n < 2; ++n) {
    std::vector<double> expected(y[n].size());
    std::vector<double> expected_gradient(image_size);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = parameters.bias[i / static_cast<std::size_t>(out_height * out_width)];
    }
    for_each_tap(c, out_height, out_width, [&](std::size_t out, std::size_t in, std::size_t tap, std::size_t colour) {
      const double weight = parameters.weight[tap];
      const double deviation = input.deviation.at(colour);
      const double value =
          (static_cast<double>(pixels[n * image_size + in]) - static_cast<double>(input.mean.at(colour))) / deviation;
      expected[out] += weight * value;
      expected_gradient[in] += weight / deviation * dy_by_image[n][out];
    });
    CHECK(largest_difference(y[n], expected) <= 2e-4);
    CHECK(largest_difference(dx[n], expected_gradient) <= 2e-4);
  }
}

}  // namespace

TEST_CASE("the stem is the convolution that it was made from") {
  const Case cases[] = {
      {32, 32, 7, 2, 3, 8},  {33, 37, 7, 2, 3, 5}, {21, 20, 3, 2, 1, 6}, {64, 63, 11, 4, 2, 4}, {65, 66, 11, 4, 2, 4},
      {67, 35, 11, 4, 2, 4}, {16, 16, 4, 4, 0, 9}, {19, 18, 4, 4, 0, 9}, {9, 11, 3, 1, 1, 7},   {1, 1, 3, 1, 1, 16},
      {7, 5, 5, 3, 2, 3},    {1, 1, 7, 2, 3, 8},   {8, 8, 2, 5, 1, 3},   {12, 12, 1, 2, 0, 3},
  };
  for (const Case& c : cases) check(c);
}

}  // namespace blindspot::tests
