// ReLU and its bits, masked sums, channel-wise affine maps and conversions against plain loops: each type, odd sizes,
// views, channel counts that divide nothing, NaN and zeros.
#include "kernels/affine_relu.cuh"
#include "kernels/convert.cuh"
#include "kernels/masked_sum.cuh"
#include "kernels/relu.cuh"
#include "tests/kernels/device_values.h"
#include "tests/kernels/relu_mask.h"

namespace blindspot::tests {
namespace {

// Less than a byte of the mask, whole blocks of threads (4096 elements) and what lies between.
constexpr std::int64_t counts[] = {0, 1, 7, 8, 9, 77, 2048, 4095, 4096, 4097, 12305};

/// Values with NaN, both zeros and infinities among them.
Values with_oddities(Values values) {
  const Values odd = {std::nan(""), -0.0, 0.0, INFINITY, -INFINITY};
  for (std::size_t i = 0; i < values.size(); i += 5) values[i] = odd[i / 5 % odd.size()];
  return values;
}

Values sum(Values left, const Values& right) {
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

Values mask_room(std::int64_t count) {
  return Values(static_cast<std::size_t>((count + 7) / 8), 255);
}

}  // namespace

TEST_CASE_TEMPLATE("relu and its bits", T, float, __nv_bfloat16, __half) {
  for (const std::int64_t count : counts) {
    for (const std::size_t shift : {0U, 1U}) {
      CAPTURE(count);
      CAPTURE(shift);
      const Values x = rounded<T>(with_oddities(random_values(count, 1)));
      const DeviceValues<T> y(x, shift);
      const DeviceValues<std::uint8_t> mask(mask_room(count)), again(mask_room(count));
      REQUIRE(kernels::relu(y.data(), mask.data(), element_of<T>(), count, nullptr) == cudaSuccess);
      CHECK(same_bits(y.values(), masked(x, x)));
      CHECK(mask.values() == mask_of(x));
      REQUIRE(kernels::relu_mask(y.data(), again.data(), element_of<T>(), count, nullptr) == cudaSuccess);
      CHECK(again.values() == mask_of(x));
      CHECK(same_bits(y.values(), masked(x, x)));
    }
  }
}

TEST_CASE_TEMPLATE("masked sums, with and without each part", T, float, __nv_bfloat16, __half) {
  for (const std::int64_t count : counts) {
    for (const std::size_t shift : {0U, 1U}) {
      CAPTURE(count);
      CAPTURE(shift);
      const Values a = rounded<T>(with_oddities(random_values(count, 2)));
      const Values b = rounded<T>(random_values(count, 3)), signs = random_values(count, 4);
      const DeviceValues<T> device_a(a, shift), device_b(b, 0);
      const DeviceValues<std::uint8_t> mask(mask_of(signs));
      for (const bool add : {false, true}) {
        for (const bool relu : {false, true}) {
          const DeviceValues<T> dx(room(count), shift);
          REQUIRE(kernels::masked_sum(device_a.data(), add ? device_b.data() : nullptr, relu ? mask.data() : nullptr,
                                      dx.data(), element_of<T>(), count, nullptr) == cudaSuccess);
          const Values expected = rounded<T>(add ? sum(a, b) : a);
          CHECK(same_bits(dx.values(), relu ? masked(expected, signs) : expected));
        }
      }
      REQUIRE(kernels::add(device_b.data(), device_a.data(), element_of<T>(), count, nullptr) == cudaSuccess);
      CHECK(same_bits(device_a.values(), rounded<T>(sum(a, b))));
      REQUIRE(kernels::relu_gradient(device_b.data(), mask.data(), element_of<T>(), count, nullptr) == cudaSuccess);
      CHECK(same_bits(device_b.values(), masked(b, signs)));
    }
  }
}

TEST_CASE_TEMPLATE("affine_relu and its gradient", T, float, __nv_bfloat16, __half) {
  for (const std::int64_t channels : {1, 3, 8, 13, 64, 80, 5000, 6144}) {
    for (const std::int64_t pixels : {0, 1, 7, 171}) {
      for (const std::size_t shift : {0U, 1U}) {
        CAPTURE(channels);
        CAPTURE(pixels);
        CAPTURE(shift);
        const std::int64_t count = channels * pixels;
        const kernels::AffineSizes sizes = {count, channels};
        const Values x = rounded<T>(random_values(count, 5)), dy = rounded<T>(with_oddities(random_values(count, 6)));
        const Values onto = rounded<T>(random_values(count, 7));
        const Values scale = random_values(channels, 8), shifts = random_values(channels, 9);
        Values y(x.size()), dx(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t c = i % scale.size();
          y[i] = x[i] * scale[c] + shifts[c];
          dx[i] = passes(y[i]) ? dy[i] * scale[c] : 0;
        }
        const DeviceValues<T> device_x(x, shift), device_y(room(count), shift), device_dy(dy, shift);
        const DeviceValues<float> device_scale(scale, shift), device_shift(shifts);
        const DeviceValues<std::uint8_t> mask(mask_room(count));
        REQUIRE(kernels::affine_relu(device_x.data(), device_scale.data(), device_shift.data(), device_y.data(),
                                     mask.data(), element_of<T>(), sizes, nullptr) == cudaSuccess);
        CHECK(largest_error(device_y.values(), masked(y, y)) < tolerance<T>());
        CHECK(mask.values() == mask_of(y));
        for (const bool accumulate : {false, true}) {
          const DeviceValues<T> device_dx(accumulate ? onto : room(count), shift);
          REQUIRE(kernels::affine_relu_gradient(device_dy.data(), device_scale.data(), mask.data(), device_dx.data(),
                                                accumulate, element_of<T>(), sizes, nullptr) == cudaSuccess);
          CHECK(largest_error(device_dx.values(), accumulate ? sum(dx, onto) : dx) < tolerance<T>());
        }
      }
    }
  }
}

TEST_CASE("affine_relu finds the channel in every block of threads, and keeps NaN") {
  constexpr std::int64_t channels = 524'287;  // the most that are allowed, but one
  constexpr std::int64_t count = 3 * channels;
  Values scale(channels), y(count), x(count, 1.0);
  for (std::size_t c = 0; c < channels; ++c) scale[c] = static_cast<double>(c + 1);
  for (std::size_t i = 0; i < count; ++i) y[i] = scale[i % channels];
  x[5] = y[5] = std::nan("");
  const DeviceValues<float> device_x(x), device_scale(scale), shift(Values(channels, 0.0));
  const DeviceValues<std::uint8_t> mask(mask_room(count));
  REQUIRE(kernels::affine_relu(device_x.data(), device_scale.data(), shift.data(), device_x.data(), mask.data(),
                               kernels::Element::float32, {count, channels}, nullptr) == cudaSuccess);
  CHECK(same_bits(device_x.values(), y));
  CHECK(mask.values() == mask_of(y));
  CHECK(kernels::affine_relu(device_x.data(), device_scale.data(), shift.data(), device_x.data(), mask.data(),
                             kernels::Element::float32, {0, 1 << 20}, nullptr) == cudaErrorInvalidValue);
}

namespace {

template <class From, class To>
void check_conversion() {
  for (const std::int64_t count : counts) {
    for (const std::size_t shift : {0U, 1U}) {
      CAPTURE(count);
      CAPTURE(shift);
      const Values values = rounded<From>(with_oddities(random_values(count, 10, -1e5, 1e5)));
      const DeviceValues<From> from(values, shift);
      const DeviceValues<To> to(room(count), shift);
      REQUIRE(kernels::convert(from.data(), element_of<From>(), to.data(), element_of<To>(), count, nullptr) ==
              cudaSuccess);
      CHECK(same_bits(to.values(), rounded<To>(values)));
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("conversions between all types", T, float, __nv_bfloat16, __half) {
  check_conversion<T, float>();
  check_conversion<T, __nv_bfloat16>();
  check_conversion<T, __half>();
}

}  // namespace blindspot::tests
