// The walk's kernels against plain loops: projections of ordinary, tiny and zero gradients, steps in the bits of the
// CPU's formula and their way into the network, selection of any type with and without poison, notes for the host.
#include <algorithm>
#include <limits>

#include "kernels/network_input.cuh"
#include "kernels/select.cuh"
#include "kernels/walk_projection.cuh"
#include "kernels/walk_step.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

struct Projected {
  Values coefficient, image;
};

Projected projected(const Values& gradient, const Values& image, const Values& target, const Values& candidate,
                    const Values& accepted, const kernels::WalkProjection& how, std::size_t shift) {
  const auto images = static_cast<std::int64_t>(accepted.size());
  const std::int64_t count = static_cast<std::int64_t>(gradient.size()) / images;
  const DeviceValues<float> j(gradient, shift), x(image, shift), t(target, shift), last(candidate, shift);
  const DeviceValues<float> coefficient(room(images));
  const DeviceValues<std::uint8_t> flags(accepted);
  const DeviceValues<double> scratch(room(kernels::walk_projection_scratch(images, count)));
  REQUIRE(kernels::walk_projection(
              how, {j.data(), t.data(), last.data(), flags.data(), x.data(), scratch.data(), coefficient.data()},
              images, count, nullptr) == cudaSuccess);
  return {coefficient.values(), x.values()};
}

/// Where nothing was accepted.
Values coefficients(const Values& gradient, const Values& image, const Values& target, std::int64_t images,
                    bool zero_is_nan, std::size_t shift = 0) {
  const Values none(static_cast<std::size_t>(images)), nothing(image.size(), std::nan(""));
  const Projected result = projected(gradient, image, target, nothing, none, {zero_is_nan, false}, shift);
  CHECK(same_bits(result.image, image));
  return result.coefficient;
}

/// What the CPU computes, in float32.
void plain_step(const kernels::WalkStep& step, float j, float inverse_scale, float coefficient, float target, float x,
                float& adversarial, float& candidate) {
  const auto clamp = [](float value, float low, float high) {
    const float raised = value < low ? low : value;
    return raised > high ? high : raised;
  };
  const float along = coefficient * j;
  const float direction = (target - x) - along;
  const float change = step.step_size * direction;
  float moved = x + change;
  if (step.adversarial) {
    const float limit = step.adversarial_step, half = limit / 2, push = half * j * inverse_scale;
    adversarial = clamp(adversarial + push, -limit, limit);
    moved = moved - adversarial;
  }
  candidate = clamp(moved, 0.0F, 1.0F);
}

/// Every third image is held, from the second on; its A and its candidate say so.
template <class T>
void check_step(const kernels::InputShape& shape, bool adversarial, std::size_t shift) {
  const std::int64_t count = 3 * shape.height * shape.width, images = shape.batch;
  CAPTURE(count);
  CAPTURE(shape.block);
  CAPTURE(adversarial);
  const kernels::WalkStep step = {0.05F, adversarial, 0.004F};
  Values gradient = random_values(images * count, 1, -2, 2);
  if (images > 0) gradient[static_cast<std::size_t>(count / 2)] = std::nan("");
  const Values target = random_values(images * count, 2, 0, 1), image = random_values(images * count, 3, 0, 1);
  const Values sums = random_values(images * count, 4, -0.004, 0.004), scale = random_values(images, 5, 0.1, 2);
  const Values coefficient = random_values(images, 6, -1, 1);
  Values held(room(images));
  for (std::size_t n = 0; n < held.size(); ++n) held[n] = static_cast<double>(n % 3 == 1);
  const DeviceValues<float> j(gradient, shift), t(target, shift), x(image, shift), a(sums, shift);
  const DeviceValues<float> s(scale), c(coefficient), candidate(room(images * count), shift);
  const DeviceValues<std::uint8_t> h(held);
  const std::int64_t input_count = images * shape.rows * shape.columns * shape.channels;
  const DeviceValues<T> input(room(input_count), shift), expected_input(room(input_count), shift);
  const kernels::Colours mean = {{0.485F, 0.456F, 0.406F}}, deviation = {{0.229F, 0.224F, 0.225F}};
  const kernels::WalkStepArrays arrays = {
      j.data(), t.data(), x.data(), s.data(), c.data(), h.data(), adversarial ? a.data() : nullptr, candidate.data()};
  REQUIRE(kernels::walk_step(step, arrays, {mean, deviation, shape, element_of<T>(), input.data()}, nullptr) ==
          cudaSuccess);
  Values expected_sums = sums, expected = image;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t n = i / static_cast<std::size_t>(count);
    if (held[n] != 0) continue;
    auto sum = static_cast<float>(sums[i]);
    float result = 0;
    plain_step(step, static_cast<float>(gradient[i]), static_cast<float>(scale[n]), static_cast<float>(coefficient[n]),
               static_cast<float>(target[i]), static_cast<float>(image[i]), sum, result);
    expected_sums[i] = static_cast<double>(sum);
    expected[i] = static_cast<double>(result);
  }
  CHECK(same_bits(candidate.values(), expected));
  CHECK(same_bits(a.values(), expected_sums));
  REQUIRE(kernels::network_input(candidate.data(), mean, deviation, expected_input.data(), element_of<T>(), shape,
                                 nullptr) == cudaSuccess);
  CHECK(same_bits(input.values(), expected_input.values()));
}

template <class T>
void check_select(std::int64_t images, std::int64_t count, std::size_t shift) {
  const Values from = rounded<T>(random_values(images * count, 7, 0, 100));
  const Values to = rounded<T>(random_values(images * count, 8, 0, 100));
  Values accepted(static_cast<std::size_t>(images));
  for (std::size_t n = 0; n < accepted.size(); ++n) accepted[n] = static_cast<double>(n % 3 == 0);
  const DeviceValues<T> device_from(from, shift), device_to(to, shift);
  const DeviceValues<std::uint8_t> flags(accepted);
  REQUIRE(kernels::select(flags.data(), device_from.data(), device_to.data(), images,
                          count * static_cast<std::int64_t>(sizeof(T)), nullptr) == cudaSuccess);
  Values expected = to;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (accepted[i / static_cast<std::size_t>(count)] != 0) expected[i] = from[i];
  }
  CHECK(same_bits(device_to.values(), expected));
}

}  // namespace

TEST_CASE("projection of several images, in one part and in many") {
  for (const std::int64_t count : {3, 105, 2048, 2049, 24570}) {
    const std::int64_t images = 4;
    const Values gradient = random_values(images * count, 1), image = random_values(images * count, 2, 0, 1);
    const Values target = random_values(images * count, 3, 0, 1);
    Values expected;
    for (std::int64_t n = 0; n < images; ++n) {
      double with_direction = 0, with_itself = 0;
      for (std::int64_t i = n * count; i < (n + 1) * count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        with_direction += gradient[at] * (target[at] - image[at]);
        with_itself += gradient[at] * gradient[at];
      }
      expected.push_back(with_direction / with_itself);
    }
    CAPTURE(count);
    const Values together = coefficients(gradient, image, target, images, false);
    for (std::size_t n = 0; n < expected.size(); ++n) {
      CHECK(together[n] == doctest::Approx(expected[n]).epsilon(1e-7));
    }
    CHECK(same_bits(together, coefficients(gradient, image, target, images, false, 1)));
    for (std::int64_t n = 0; n < images; ++n) {
      const Values alone = coefficients(part(gradient, n * count, count), part(image, n * count, count),
                                        part(target, n * count, count), 1, false);
      CHECK(same_bits(alone, part(together, n, 1)));
    }
  }
}

TEST_CASE("projection takes over what was accepted, and what was not stays or is poisoned") {
  for (const std::int64_t count : {3, 105, 2048, 2049, 24570}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      for (const bool poison : {false, true}) {
        CAPTURE(count);
        CAPTURE(poison);
        const Values gradient = random_values(3 * count, 1), image = random_values(3 * count, 2, 0, 1);
        const Values target = random_values(3 * count, 3, 0, 1), accepted = {0, 1, 0};
        Values candidate = random_values(3 * count, 4, 0, 1);
        candidate.back() = std::nan("");
        Values stand = image;
        std::copy_n(candidate.begin() + count, count, stand.begin() + count);
        if (poison) stand.back() = std::nan("");
        const Projected result = projected(gradient, image, target, candidate, accepted, {false, poison}, shift);
        CHECK(same_bits(result.image, stand));
        const Values none(3);
        const Projected expected = projected(gradient, stand, target, stand, none, {false, false}, shift);
        CHECK(same_bits(result.coefficient, expected.coefficient));
        CHECK(std::isnan(result.coefficient[2]) == poison);
      }
    }
  }
}

TEST_CASE("projection onto gradients of zero, of tiny magnitude, and NaN") {
  const Values image = {0.5, 0.25, 0, 0}, target = {1, 0.25, 1, 0};
  CHECK(coefficients({0, 0, 0, 0}, image, target, 1, false)[0] == 0);
  CHECK(std::isnan(coefficients({0, 0, 0, 0}, image, target, 1, true)[0]));
  CHECK(coefficients({1e-30, 0, 0, 0}, image, target, 1, true)[0] == doctest::Approx(0.5e30).epsilon(1e-6));
  // The smallest float32: its coefficient of 3.6e44 has no float32, but J·J is not taken for zero.
  CHECK(coefficients({1e-45, 0, 0, 0}, image, target, 1, false)[0] == std::numeric_limits<double>::infinity());
  CHECK(coefficients({1e-45, 0, -1e-45, 1e-45}, image, {1, 0.25, 0.5, 0}, 1, false)[0] == 0);
  CHECK(coefficients({3e38, 0, 0, 0}, image, target, 1, false)[0] == doctest::Approx(0.5 / 3e38).epsilon(1e-6));
  for (const bool zero_is_nan : {false, true}) {
    CHECK(std::isnan(coefficients({1, std::nan(""), 0, 0}, image, target, 1, zero_is_nan)[0]));
  }
}

TEST_CASE_TEMPLATE("step has the bits of the formula in float32, and writes what network_input would", T, float,
                   __nv_bfloat16, __half) {
  for (const bool adversarial : {false, true}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      check_step<T>({1, 1, 1, 1, 1, 3, 1}, adversarial, shift);
      check_step<T>({3, 5, 7, 5, 7, 4, 1}, adversarial, shift);
      check_step<T>({2, 32, 32, 32, 32, 3, 1}, adversarial, shift);
      check_step<T>({2, 24, 56, 12, 28, 12, 2}, adversarial, shift);
      check_step<T>({2, 7, 9, 4, 5, 16, 2}, adversarial, shift);
      check_step<T>({2, 48, 80, 3, 5, 768, 16}, adversarial, shift);
      check_step<T>({4, 8, 800, 3, 402, 12, 2}, adversarial, shift);  // the image ends before the input
      check_step<T>({2, 9, 700, 2, 230, 27, 3}, adversarial, shift);  // the input before the image
      check_step<T>({0, 8, 8, 4, 4, 12, 2}, adversarial, shift);
    }
  }
}

TEST_CASE("a drop of exactly delta is rejected, and so is NaN") {
  const DeviceValues<float> start({0.75, 0.75, 0.75, std::nan(""), 0.25});
  const DeviceValues<float> candidate({0.5, 0.75, std::nan(""), 0.5, 1});
  const DeviceValues<std::uint8_t> accepted(room(5));
  REQUIRE(kernels::accept(start.data(), candidate.data(), 0.25F, 5, accepted.data(), nullptr) == cudaSuccess);
  CHECK(accepted.values() == Values{0, 1, 0, 0, 1});
  REQUIRE(kernels::accept(start.data(), candidate.data(), std::nextafter(0.25F, 1.0F), 5, accepted.data(), nullptr) ==
          cudaSuccess);
  CHECK(accepted.values()[0] == 1);
}

TEST_CASE_TEMPLATE("accepted images are taken over whole, others stay", T, float, __nv_bfloat16, __half, std::int32_t,
                   std::uint8_t, double) {
  for (const std::int64_t count : {1, 5, 16, 1000, 24570}) {
    CAPTURE(count);
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) check_select<T>(5, count, shift);
  }
}

TEST_CASE_TEMPLATE("a rejected NaN poisons, and nothing else does", T, float, __nv_bfloat16, __half) {
  for (const std::int64_t count : {2, 16, 5000}) {
    for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
      Values from = rounded<T>(random_values(2 * count, 9)), to = rounded<T>(random_values(2 * count, 10));
      from[0] = from[static_cast<std::size_t>(count)] = std::nan("");
      from[static_cast<std::size_t>(count + 1)] = std::numeric_limits<double>::infinity();
      const DeviceValues<T> device_from(from, shift), device_to(to, shift);
      const DeviceValues<std::uint8_t> accepted({1, 0});
      REQUIRE(kernels::select_with_poison(accepted.data(), device_from.data(), device_to.data(), element_of<T>(), 2,
                                          count, nullptr) == cudaSuccess);
      Values expected = part(from, 0, count);
      for (std::int64_t i = count; i < 2 * count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        expected.push_back(std::isfinite(from[at]) ? to[at] : std::nan(""));
      }
      CHECK(same_bits(device_to.values(), expected));
    }
  }
}

TEST_CASE("judgements are noted until the history is full") {
  for (const std::int64_t images : {1, 7, 300}) {
    const Values probability = random_values(images, 11, 0, 1), of_target = random_values(images, 12, 0, 1);
    Values flags(static_cast<std::size_t>(images));
    for (std::size_t n = 0; n < flags.size(); ++n) flags[n] = static_cast<double>(n % 2);
    const DeviceValues<float> p(probability), t(of_target), history(room(std::int64_t{2} * 3 * images));
    const DeviceValues<std::uint8_t> accepted(flags);
    const DeviceValues<std::int32_t> counter({0});
    Values line = probability;
    line.insert(line.end(), of_target.begin(), of_target.end());
    line.insert(line.end(), flags.begin(), flags.end());
    for (const int round : {0, 1, 2}) {
      REQUIRE(kernels::note_judgement(p.data(), t.data(), accepted.data(), images, counter.data(), history.data(), 2,
                                      nullptr) == cudaSuccess);
      CHECK(counter.values()[0] == std::min(round + 1, 2));
      CHECK(same_bits(part(history.values(), 0, 3 * images), line));
      if (round == 0) CHECK(history.values()[static_cast<std::size_t>(3 * images)] == -77);
    }
    CHECK(same_bits(part(history.values(), 3 * images, 3 * images), line));
  }
}

}  // namespace blindspot::tests
