// What the operation table cannot say with finite numbers: NaN, zero gradients, confidences whose rest underflows, tied
// maxima, sizes that do not fit. Uses engine/device.h through operation_case.h.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include "tests/devices.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::unique_ptr<Device> device_of_test() {
  return device_for(Precision::fp32);
}

Array uploaded(Device& device, const std::vector<float>& values, const Shape& shape) {
  Array result = device.array(Type::float32, shape);
  device.upload(std::span(values), result);
  return result;
}

std::vector<float> downloaded(Device& device, const Array& array) {
  std::vector<float> values(static_cast<std::size_t>(array.shape().count()));
  device.download(array, std::span(values));
  return values;
}

struct Seed {
  std::vector<float> seed;
  float inverse_scale;
};

Seed seed_of(Device& device, const std::vector<float>& logits, std::int32_t own) {
  const Shape shape = {1, static_cast<std::int64_t>(logits.size())};
  const Array scores = uploaded(device, logits, shape);
  Array classes = device.array(Type::int32, {1});
  const std::array<std::int32_t, 1> chosen = {own};
  device.upload(std::span<const std::int32_t>(chosen), classes);
  Array seed = device.array(Type::float32, shape);
  Array inverse_scale = device.array(Type::float32, {1});
  device.cross_entropy_seed(scores, classes, seed, inverse_scale);
  return {downloaded(device, seed), downloaded(device, inverse_scale).at(0)};
}

struct Projected {
  float coefficient = 0;
  std::vector<float> image;
};

/// Of an image (0.5, 0.25, 0) with target (1, 0.25, 1), after a candidate.
Projected projected(Device& device, const std::vector<float>& gradient, const std::vector<float>& candidate,
                    std::uint8_t accepted, const StepDescription& step) {
  const Shape shape = {1, 3, 1, 1};
  const Array j = uploaded(device, gradient, shape);
  Array image = uploaded(device, {0.5F, 0.25F, 0.0F}, shape);
  const Array target = uploaded(device, {1.0F, 0.25F, 1.0F}, shape);
  const Array last = uploaded(device, candidate, shape);
  Array flag = device.array(Type::uint8, {1});
  device.upload(std::span<const std::uint8_t>(&accepted, 1), flag);
  Array coefficient = device.array(Type::float32, {1});
  device.projection(step, {j, target, last, flag, image, coefficient});
  return {downloaded(device, coefficient).at(0), downloaded(device, image)};
}

float coefficient_of(Device& device, const std::vector<float>& gradient, bool zero_is_nan) {
  return projected(device, gradient, {nan, nan, nan}, 0, {.zero_gradient_is_nan = zero_is_nan}).coefficient;
}

}  // namespace

TEST_CASE("ReLU keeps NaN, counts it as positive, and makes −0 zero") {
  const auto device = device_of_test();
  Array x = uploaded(*device, {nan, -1.0F, -0.0F, 2.0F}, {4});
  Array mask = device->array(Type::mask, {4});
  device->relu(x, mask);
  const std::vector<float> y = downloaded(*device, x);
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == 0);
  CHECK(y[2] == 0);
  CHECK(!std::signbit(y[2]));
  Array ones = uploaded(*device, {1, 1, 1, 1}, {4});
  device->relu_gradient(ones, mask);
  CHECK(downloaded(*device, ones) == std::vector<float>{1, 0, 0, 1});
}

TEST_CASE("the first of equal maxima takes the gradient") {
  const auto device = device_of_test();
  const Array x = uploaded(*device, {1, 1, 1, 1}, {1, 2, 2, 1});
  Array y = device->array(Type::float32, {1, 1, 1, 1});
  Array index = device->array(Type::index, {1, 1, 1, 1});
  device->max_pool(x, {2, 2, 0}, y, index);
  const Array dy = uploaded(*device, {5}, {1, 1, 1, 1});
  Array dx = device->array(Type::float32, {1, 2, 2, 1});
  device->max_pool_gradient(dy, index, {2, 2, 0}, dx, nullptr);
  CHECK(downloaded(*device, dx) == std::vector<float>{5, 0, 0, 0});
}

TEST_CASE("the gradient's seed has a direction however sure the network is") {
  const auto device = device_of_test();
  for (const float lead : {22.0F, 100.0F, 590.0F, 610.0F, 5000.0F, 1e30F}) {
    const Seed result = seed_of(*device, {0.0F, lead, 0.0F}, 1);
    CHECK(result.seed[0] == result.seed[2]);
    CHECK(result.seed[0] >= 0.25F);
    CHECK(result.seed[1] == -2 * result.seed[0]);
    CHECK(result.seed[1] > -1.0F);
    const double rest = 2 * std::exp(-static_cast<double>(lead));
    if (lead < 80) {
      const double unscaled = static_cast<double>(-result.seed[1]) * static_cast<double>(result.inverse_scale);
      CHECK(std::abs(unscaled / rest - 1) < 1e-6);
    }
  }
  // The others underflow against the largest of them.
  const Seed steep = seed_of(*device, {0.0F, 3000.0F, 2000.0F}, 1);
  CHECK(steep.seed[0] == 0);
  CHECK(steep.seed[1] == -steep.seed[2]);
  const Seed only = seed_of(*device, {3.0F}, 0);
  CHECK(only.seed[0] == 0);
  CHECK(only.inverse_scale == 1);
  const Seed certain = seed_of(*device, {0.0F, std::numeric_limits<float>::infinity()}, 1);
  CHECK(certain.seed == std::vector<float>{0, 0});
  CHECK(certain.inverse_scale == 1);
  CHECK(std::isnan(seed_of(*device, {0.0F, nan, 1.0F}, 0).seed[0]));
}

TEST_CASE("a zero gradient projects to 0, or to NaN if asked; a tiny one as any other") {
  const auto device = device_of_test();
  CHECK(coefficient_of(*device, {0, 0, 0}, false) == 0);
  CHECK(std::isnan(coefficient_of(*device, {0, 0, 0}, true)));
  // J·v = 0.5e-30, J·J = 1e-60, which float32 does not hold.
  CHECK(coefficient_of(*device, {1e-30F, 0, 0}, true) == doctest::Approx(0.5e30).epsilon(1e-6));
}

TEST_CASE("a rejected NaN poisons only if asked") {
  const auto device = device_of_test();
  const std::vector<float> one = {1, 1, 1};
  const Projected kept = projected(*device, one, {nan, 7, 7}, 0, {});
  CHECK(kept.image == std::vector<float>{0.5F, 0.25F, 0.0F});
  CHECK(kept.coefficient == doctest::Approx(0.5));
  const Projected poisoned = projected(*device, one, {nan, 7, 7}, 0, {.poison = true});
  CHECK(std::isnan(poisoned.image[0]));
  CHECK(poisoned.image[1] == 0.25F);
  CHECK(std::isnan(poisoned.coefficient));
  for (const bool poison : {false, true}) {
    const Projected taken = projected(*device, one, {0.75F, 0.25F, 0.5F}, 1, {.poison = poison});
    CHECK(taken.image == std::vector<float>{0.75F, 0.25F, 0.5F});
    CHECK(taken.coefficient == doctest::Approx(0.25));
  }
  const Array start = uploaded(*device, {0.9F, 0.9F}, {2});
  const Array candidate = uploaded(*device, {nan, 0.9F}, {2});
  Array accepted = device->array(Type::uint8, {2});
  device->accept(start, candidate, 0.1F, accepted);
  std::array<std::uint8_t, 2> decisions = {};
  device->download(accepted, std::span<std::uint8_t>(decisions));
  CHECK(decisions == std::array<std::uint8_t, 2>{0, 1});
  const Array from = uploaded(*device, {nan, 1.0F, 2.0F, 3.0F}, {2, 2});
  for (const bool poison : {false, true}) {
    Array to = uploaded(*device, {5.0F, 6.0F, 7.0F, 8.0F}, {2, 2});
    device->select(accepted, from, poison, to);
    const std::vector<float> result = downloaded(*device, to);
    CHECK(std::isnan(result[0]) == poison);
    CHECK(result[1] == 6);
    CHECK(result[2] == 2);
    CHECK(result[3] == 3);
  }
}

TEST_CASE("a drop of exactly delta is rejected") {
  const auto device = device_of_test();
  const Array start = uploaded(*device, {0.75F}, {1});
  const Array candidate = uploaded(*device, {0.5F}, {1});
  Array accepted = device->array(Type::uint8, {1});
  std::array<std::uint8_t, 1> decision = {};
  device->accept(start, candidate, 0.25F, accepted);
  device->download(accepted, std::span<std::uint8_t>(decision));
  CHECK(decision[0] == 0);
  device->accept(start, candidate, std::nextafter(0.25F, 1.0F), accepted);
  device->download(accepted, std::span<std::uint8_t>(decision));
  CHECK(decision[0] == 1);
}

TEST_CASE("sizes that do not fit are a fault") {
  const auto device = device_of_test();
  Array four = device->array(Type::float32, {4});
  Array five = device->array(Type::float32, {5});
  CHECK_THROWS_AS(device->add(four, five), Error);
  CHECK_THROWS_AS(device->gelu(four, five), Error);
  Array mask = device->array(Type::mask, {5});
  CHECK_THROWS_AS(device->relu(four, mask), Error);
}

}  // namespace blindspot::tests
