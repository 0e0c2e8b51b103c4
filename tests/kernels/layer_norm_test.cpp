// Layer norm and its gradient against plain loops in double: every layout of rows, odd widths, views, each pair of
// types.
#include <fmt/format.h>

#include "kernels/layer_norm.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

using kernels::Element;

struct Reference {
  Values y, normalised, inverse;
};

Reference layer_norm(const Values& x, const Values& scale, const Values& shift, double epsilon) {
  const std::size_t width = scale.size(), rows = x.size() / width;
  Reference result{Values(x.size()), Values(x.size()), Values(rows)};
  for (std::size_t row = 0; row < rows; ++row) {
    const double* values = x.data() + row * width;
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < width; ++i) mean += values[i] / static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) variance += (values[i] - mean) * (values[i] - mean);
    result.inverse[row] = 1 / std::sqrt(variance / static_cast<double>(width) + epsilon);
    for (std::size_t i = 0; i < width; ++i) {
      const double normalised = (values[i] - mean) * result.inverse[row];
      result.normalised[row * width + i] = normalised;
      result.y[row * width + i] = normalised * scale[i] + shift[i];
    }
  }
  return result;
}

Values gradient(const Values& dy, const Values& scale, const Values& normalised, const Values& inverse,
                const Values& former) {
  const std::size_t width = scale.size();
  Values dx = former;
  for (std::size_t row = 0; row < inverse.size(); ++row) {
    double mean = 0, product = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const double g = scale[i] * dy[row * width + i];
      mean += g / static_cast<double>(width);
      product += g * normalised[row * width + i] / static_cast<double>(width);
    }
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t at = row * width + i;
      dx[at] += inverse[row] * (scale[i] * dy[at] - mean - normalised[at] * product);
    }
  }
  return dx;
}

template <class Stream, class T>
void check_forward(std::int64_t rows, std::int64_t width, double offset, std::size_t shift) {
  CAPTURE(rows);
  CAPTURE(width);
  CAPTURE(shift);
  constexpr float epsilon = 1e-6F;
  const Values x = rounded<Stream>(random_values(rows * width, 1, offset - 2, offset + 2));
  const Values scale = random_values(width, 2, -1, 1.5), offsets = random_values(width, 3);
  const DeviceValues<Stream> device_x(x, shift);
  const DeviceValues<float> device_scale(scale), device_shift(offsets), inverse(room(rows));
  const DeviceValues<T> y(room(rows * width), shift), normalised(room(rows * width), shift);
  const kernels::LayerNormArrays arrays = {
      device_x.data(), element_of<Stream>(), device_scale.data(), device_shift.data(),
      y.data(),        normalised.data(),    element_of<T>(),     inverse.data()};
  REQUIRE(kernels::layer_norm({rows, width}, arrays, epsilon, nullptr) == cudaSuccess);
  const Reference expected = layer_norm(x, scale, offsets, static_cast<double>(epsilon));
  // With one element variance is zero up to what the mean was rounded by.
  const double room_for_offset = 1 + std::abs(offset);
  CHECK(largest_error(y.values(), expected.y) < tolerance<T>() * room_for_offset);
  CHECK(largest_error(normalised.values(), expected.normalised) < tolerance<T>() * room_for_offset);
  CHECK(largest_error(inverse.values(), expected.inverse) < 2e-6 * room_for_offset);
}

template <class Stream, class T>
void check_gradient(std::int64_t rows, std::int64_t width, bool accumulate, std::size_t shift) {
  CAPTURE(rows);
  CAPTURE(width);
  CAPTURE(accumulate);
  const Values dy = rounded<T>(random_values(rows * width, 4)), scale = random_values(width, 5, -1, 1.5);
  const Values normalised = rounded<T>(random_values(rows * width, 6, -2, 2));
  const Values inverse = random_values(rows, 7, 0.5, 3);
  const Values former = rounded<Stream>(random_values(rows * width, 8));
  const DeviceValues<T> device_dy(dy, shift), device_normalised(normalised, shift);
  const DeviceValues<float> device_scale(scale), device_inverse(inverse);
  const DeviceValues<Stream> dx(former, shift);
  const kernels::LayerNormGradientArrays arrays = {device_dy.data(),    device_normalised.data(), element_of<T>(),
                                                   device_scale.data(), device_inverse.data(),    dx.data(),
                                                   element_of<Stream>()};
  REQUIRE(kernels::layer_norm_gradient({rows, width}, arrays, accumulate, nullptr) == cudaSuccess);
  const Values none(former.size());
  const Values expected = gradient(dy, scale, normalised, inverse, accumulate ? former : none);
  CHECK(largest_error(dx.values(), expected) < tolerance<Stream>());
}

template <class Stream, class T>
void check_pair() {
  CAPTURE(sizeof(Stream));
  for (const std::int64_t width : {1, 3, 8, 13, 48, 64, 96, 128, 192, 200, 384, 768, 1000, 1024, 1031, 1280}) {
    check_forward<Stream, T>(7, width, 0, 0);
    for (const bool accumulate : {false, true}) check_gradient<Stream, T>(7, width, accumulate, 0);
  }
  check_forward<Stream, T>(1, 768, 1, 0);
  check_forward<Stream, T>(33, 48, 0, 0);
  check_forward<Stream, T>(3, 64, 0, 1);
  check_gradient<Stream, T>(33, 48, true, 0);
  check_gradient<Stream, T>(1, 64, true, 1);
}

}  // namespace

TEST_CASE_TEMPLATE("layer norm and its gradient", T, float, __nv_bfloat16, __half) {
  check_pair<float, T>();
  if constexpr (!std::is_same_v<T, float>) check_pair<T, T>();
}

TEST_CASE("layer norm of a row far from zero keeps its digits") {
  // The mean is rounded to float32: 1000 ± 2 leaves about 3e-5 of a deviation.
  check_forward<float, float>(5, 768, 1000, 0);
  check_forward<float, float>(5, 77, 1000, 0);
}

TEST_CASE("layer norm: NaN stays in its row, types that do not go together are refused, no rows are no work") {
  Values x = random_values(std::int64_t{3} * 64, 9);
  x[70] = std::nan("");
  const DeviceValues<float> device_x(x), scale(random_values(64, 2)), shift(random_values(64, 3)), inverse(room(3));
  const DeviceValues<float> y(room(std::int64_t{3} * 64)), normalised(room(std::int64_t{3} * 64));
  kernels::LayerNormArrays arrays = {device_x.data(), Element::float32,  scale.data(),     shift.data(),
                                     y.data(),        normalised.data(), Element::float32, inverse.data()};
  REQUIRE(kernels::layer_norm({3, 64}, arrays, 1e-6F, nullptr) == cudaSuccess);
  const Values results = y.values();
  for (std::size_t i = 0; i < results.size(); ++i) CHECK(std::isnan(results[i]) == (i / 64 == 1));
  CHECK(kernels::layer_norm({0, 64}, arrays, 1e-6F, nullptr) == cudaSuccess);
  arrays.x_element = Element::float16;
  arrays.activation = Element::bfloat16;
  CHECK(kernels::layer_norm({3, 64}, arrays, 1e-6F, nullptr) == cudaErrorInvalidValue);
}

TEST_CASE("layer norm: a row has the same bits in any place") {
  const Values x = random_values(std::int64_t{9} * 96, 10);
  const DeviceValues<float> scale(random_values(96, 2)), shift(random_values(96, 3)), inverse(room(9));
  const DeviceValues<float> all_x(x), all_y(room(std::int64_t{9} * 96)), normalised(room(std::int64_t{9} * 96));
  const auto run = [&](const float* from, std::int64_t rows,
                       float* y) {  // NOLINT(readability-non-const-parameter): the kernel writes it
    const kernels::LayerNormArrays arrays = {from, Element::float32,  scale.data(),     shift.data(),
                                             y,    normalised.data(), Element::float32, inverse.data()};
    REQUIRE(kernels::layer_norm({rows, 96}, arrays, 1e-6F, nullptr) == cudaSuccess);
  };
  run(all_x.data(), 9, all_y.data());
  for (std::int64_t row = 0; row < 9; ++row) {
    const DeviceValues<float> y(room(96));
    run(all_x.data() + row * 96, 1, y.data());
    CHECK(same_bits(y.values(), part(all_y.values(), row * 96, 96)));
  }
}

}  // namespace blindspot::tests
