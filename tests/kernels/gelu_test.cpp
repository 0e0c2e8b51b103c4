// GELU and its gradient against the C library's erfc in double: each type, odd sizes, views, the tail, NaN.
#include <numbers>

#include "kernels/gelu.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

double distribution(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2;
}
double density(double x) {
  return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}

Values gelu(Values x) {
  for (double& value : x) value *= distribution(value);
  return x;
}

Values gelu_gradient(const Values& x, Values dy) {
  for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= distribution(x[i]) + x[i] * density(x[i]);
  return dy;
}

}  // namespace

TEST_CASE_TEMPLATE("gelu and its gradient", T, float, __nv_bfloat16, __half) {
  for (const std::int64_t count : {1, 7, 8, 77, 4096, 5003}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      for (const double range : {1.0, 8.0, 40.0}) {
        CAPTURE(count);
        CAPTURE(range);
        const Values x = rounded<T>(random_values(count, 1, -range, range));
        const Values dy = rounded<T>(random_values(count, 2));
        const DeviceValues<T> device_x(x, shift), y(room(count), shift), gradient(dy, shift);
        REQUIRE(kernels::gelu(device_x.data(), y.data(), element_of<T>(), count, nullptr) == cudaSuccess);
        CHECK(largest_error(y.values(), gelu(x), 1) < tolerance<T>());
        REQUIRE(kernels::gelu_gradient(device_x.data(), gradient.data(), element_of<T>(), count, nullptr) ==
                cudaSuccess);
        CHECK(largest_error(gradient.values(), gelu_gradient(x, dy), 1) < tolerance<T>());
      }
    }
  }
}

TEST_CASE("gelu's tail has relative accuracy, and NaN stays NaN") {
  Values x;
  for (int i = -192; i < 192; ++i) x.push_back(i / 16.0);
  const DeviceValues<float> device_x(x), y(room(static_cast<std::int64_t>(x.size())));
  REQUIRE(kernels::gelu(device_x.data(), y.data(), kernels::Element::float32, static_cast<std::int64_t>(x.size()),
                        nullptr) == cudaSuccess);
  const Values results = y.values(), expected = gelu(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    CHECK(std::abs(results[i] - expected[i]) <= 1e-5 * std::abs(expected[i]));
  }
  const Values odd = {std::nan(""), 3e38, -3e38, 0};
  const DeviceValues<float> device_odd(odd), odd_y(room(4)), gradient({1, 1, 1, 1});
  REQUIRE(kernels::gelu(device_odd.data(), odd_y.data(), kernels::Element::float32, 4, nullptr) == cudaSuccess);
  REQUIRE(kernels::gelu_gradient(device_odd.data(), gradient.data(), kernels::Element::float32, 4, nullptr) ==
          cudaSuccess);
  CHECK(std::isnan(odd_y.values()[0]));
  CHECK(odd_y.values()[1] == static_cast<double>(3e38F));
  CHECK(odd_y.values()[3] == 0);
  CHECK(std::isnan(gradient.values()[0]));
  CHECK(gradient.values()[1] == 1);
  CHECK(std::abs(gradient.values()[2]) < 1e-30);
  CHECK(gradient.values()[3] == 0.5);
}

}  // namespace blindspot::tests
