// Mixed images and points along directions against plain loops in double: hulls, paths, unit length, zero directions.
#include "kernels/mix_points.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

Values mixed(const Values& images, const Values& weights, std::int64_t vertices, std::int64_t points, bool clamp,
             std::size_t shift) {
  const std::int64_t count = static_cast<std::int64_t>(images.size()) / vertices;
  const DeviceValues<float> device_images(images, shift), out(room(points * count), shift);
  const DeviceValues<double> device_weights(weights);
  REQUIRE(kernels::mix_points(device_images.data(), device_weights.data(), vertices, points, count, clamp, out.data(),
                              nullptr) == cudaSuccess);
  return out.values();
}

Values triangle_weights() {
  Values weights;
  for (int i = 0; i <= 10; ++i) {
    for (int j = 0; i + j <= 10; ++j) {
      const double first = i / 10.0, second = j / 10.0;
      weights.insert(weights.end(), {1 - first - second, first, second});
    }
  }
  return weights;
}

struct Points {
  Values factors, points;
};

Points width_points(const Values& x, const Values& v, const Values& directions, double radius, std::size_t shift) {
  const auto count = static_cast<std::int64_t>(x.size());
  const auto many = static_cast<std::int64_t>(directions.size()) / count;
  const DeviceValues<float> device_x(x, shift), device_v(v, shift), d(directions, shift),
      out(room(many * count), shift);
  const DeviceValues<double> scratch(room(kernels::width_factors_scratch(many, count))), factors(room(2 * many));
  REQUIRE(kernels::width_factors(d.data(), device_v.data(), many, count, scratch.data(), factors.data(), nullptr) ==
          cudaSuccess);
  REQUIRE(kernels::width_points(device_x.data(), device_v.data(), d.data(), factors.data(), radius, many, count,
                                out.data(), nullptr) == cudaSuccess);
  return {factors.values(), out.values()};
}

}  // namespace

TEST_CASE("points of a triangle are mixed in double and rounded once") {
  const Values weights = triangle_weights();
  const auto points = static_cast<std::int64_t>(weights.size() / 3);
  REQUIRE(points == 66);
  for (const std::int64_t count : {3, 2048, 5001}) {
    const Values images = random_values(3 * count, 1, -0.5, 1.5);
    for (const bool clamp : {false, true}) {
      Values expected;
      for (std::size_t p = 0; p < static_cast<std::size_t>(points); ++p) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
          double sum = 0;
          for (std::size_t j = 0; j < 3; ++j) {
            const double product = weights[p * 3 + j] * images[j * static_cast<std::size_t>(count) + i];
            sum = sum + product;
          }
          const auto value = static_cast<double>(static_cast<float>(sum));
          expected.push_back(clamp ? std::clamp(value, 0.0, 1.0) : value);
        }
      }
      for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
        // 0 and −0 are one number here.
        CHECK(mixed(images, weights, 3, points, clamp, shift) == expected);
      }
    }
  }
}

TEST_CASE("a triangle of three equal images has equal images") {
  const Values image = random_values(1000, 2, 0, 1);
  Values images = image;
  images.insert(images.end(), image.begin(), image.end());
  images.insert(images.end(), image.begin(), image.end());
  const Values result = mixed(images, triangle_weights(), 3, 66, false, 0);
  for (std::int64_t p = 0; p < 66; ++p) CHECK(part(result, p * 1000, 1000) == image);
}

TEST_CASE("width directions are orthogonal to v and of unit length") {
  for (const std::int64_t count : {12, 3072, 5001}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      CAPTURE(count);
      const Values x = random_values(count, 3, 0, 1), v = random_values(count, 4, -0.2, 0.3);
      const Values directions = random_values(5 * count, 5, -2, 2.5);
      const double radius = 0.75;
      const Points result = width_points(x, v, directions, radius, shift);
      for (std::size_t k = 0; k < 5; ++k) {
        double with_v = 0, of_v = 0;
        const double* d = directions.data() + k * x.size();
        for (std::size_t i = 0; i < x.size(); ++i) {
          with_v += d[i] * v[i];
          of_v += v[i] * v[i];
        }
        Values u;
        double square = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          u.push_back(d[i] - v[i] * with_v / of_v);
          square += u.back() * u.back();
        }
        Values expected;
        double product = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          expected.push_back(std::clamp(x[i] + radius * u[i] / std::sqrt(square), 0.0, 1.0));
          product += (result.factors[2 * k] * d[i] - result.factors[2 * k + 1] * v[i]) * v[i];
        }
        CHECK(std::abs(product) < 1e-12);
        const auto first = static_cast<std::int64_t>(k) * count;
        CHECK(largest_error(part(result.points, first, count), expected) < 1e-7);
      }
    }
  }
}

TEST_CASE("no direction is left of zero v, or along v; NaN goes through") {
  const Values x = random_values(300, 6, 0, 1), v = random_values(300, 7), zero(300);
  const Points of_zero = width_points(x, zero, v, 1, 0);
  CHECK(of_zero.factors == Values{0, 0});
  CHECK(same_bits(of_zero.points, x));
  const Points along = width_points(x, v, v, 1, 0);
  CHECK(along.factors == Values{0, 0});
  Values broken = random_values(300, 8);
  broken[7] = std::nan("");
  for (const double value : width_points(x, v, broken, 1, 0).points) CHECK(std::isnan(value));
}

}  // namespace blindspot::tests
