// Convolutions of 1×1 taps with what follows them, and their gradients, against plain loops: each type, tiles that are
// full, cut and left over, every combination of the epilogue.
#include "kernels/pointwise_convolution.cuh"

#include <string>

#include "tests/kernels/device_values.h"
#include "tests/kernels/relu_mask.h"

namespace blindspot::tests {
namespace {

struct Case {
  std::int64_t pixels, in_channels, out_channels;
};

// A tile is 128 pixels by 64 or 128 channels, a step 32 or 64 channels; three steps are on their way at a time.
constexpr Case cases[] = {{1, 8, 8},      {0, 64, 64},    {49, 64, 256},   {128, 128, 128}, {129, 72, 96},
                          {300, 256, 64}, {131, 264, 40}, {257, 320, 136}, {64, 512, 128}};

/// Factors as tensor cores take them.
template <class T>
double factor(double value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(kernels::round_to_tf32(static_cast<float>(value)));
  } else {
    return value;
  }
}

struct Options {
  bool accumulate, bias, relu, masked;
};

/// What the kernel is given, and what it should make of it.
template <class T>
struct Subject {
  Case sizes;
  Values x, weight, before, bias, signs;

  explicit Subject(const Case& of)
      : sizes(of),
        x(rounded<T>(random_values(of.pixels * of.in_channels, 1))),
        weight(rounded<T>(random_values(of.out_channels * of.in_channels, 2))),
        before(rounded<T>(random_values(of.pixels * of.out_channels, 3, -4, 4))),
        bias(random_values(of.out_channels, 4)),
        signs(random_values(of.pixels * of.out_channels, 5)) {}

  Values expected(const Options& options) const {
    Values y(before.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto channels = static_cast<std::size_t>(sizes.in_channels);
      const std::size_t pixel = i / bias.size(), channel = i % bias.size();
      double sum = options.accumulate ? before[i] : 0;
      for (std::size_t c = 0; c < channels; ++c) {
        sum += factor<T>(x[pixel * channels + c]) * factor<T>(weight[channel * channels + c]);
      }
      if (options.bias) sum += bias[channel];
      if (options.relu && sum <= 0) sum = 0;
      y[i] = options.masked && signs[i] <= 0 ? 0 : sum;
    }
    return y;
  }
};

template <class T>
void check(const Subject<T>& subject, const Options& options) {
  const auto& [pixels, in_channels, out_channels] = subject.sizes;
  const DeviceValues<T> x(subject.x), weight(subject.weight);
  const DeviceValues<T> y(options.accumulate ? subject.before : room(pixels * out_channels));
  const DeviceValues<float> bias(subject.bias);
  const DeviceValues<std::uint8_t> relu_mask(room(pixels * out_channels / 8)), masked(mask_of(subject.signs));
  kernels::PointwiseEpilogue epilogue;
  epilogue.accumulate = options.accumulate;
  if (options.bias) epilogue.bias = bias.data();
  if (options.relu) epilogue.relu_mask = relu_mask.data();
  if (options.masked) epilogue.masked = masked.data();
  REQUIRE(kernels::pointwise_convolution(x.data(), weight.data(), y.data(), element_of<T>(),
                                         {pixels, in_channels, out_channels}, epilogue, nullptr) == cudaSuccess);
  const Values expected = subject.expected(options), result = y.values();
  CHECK(largest_error(result, expected) < tolerance<T>());
  if (!options.relu || options.masked) return;
  // Sums next to zero may round to either side; the bits have to tell what was stored.
  CHECK(relu_mask.values() == mask_of(result));
}

}  // namespace

TEST_CASE_TEMPLATE("1×1 convolutions with every epilogue", T, float, __nv_bfloat16, __half) {
  for (const Case& sizes : cases) {
    CAPTURE(sizes.pixels);
    CAPTURE(sizes.in_channels);
    CAPTURE(sizes.out_channels);
    REQUIRE(kernels::takes_pointwise({sizes.pixels, sizes.in_channels, sizes.out_channels}, std::size_t{96} << 10U));
    const Subject<T> subject(sizes);
    for (int options = 0; options < 16; ++options) {
      CAPTURE(options);
      check(subject, {(options & 1) != 0, (options & 2) != 0, (options & 4) != 0, (options & 8) != 0});
    }
  }
}

TEST_CASE_TEMPLATE("1×1 convolutions: NaN passes the ReLU, and a mask takes it away", T, float, __nv_bfloat16, __half) {
  constexpr std::int64_t pixels = 3, channels = 8;
  Values x(pixels * channels, 1.0);
  x[9] = std::nan("");  // the second pixel
  const DeviceValues<T> device_x(x), weight(Values(channels * channels, 1.0)), y(room(pixels * channels));
  const DeviceValues<std::uint8_t> mask(room(pixels)), half(Values(pixels, 0x0f));
  kernels::PointwiseEpilogue epilogue;
  epilogue.relu_mask = mask.data();
  epilogue.masked = half.data();
  REQUIRE(kernels::pointwise_convolution(device_x.data(), weight.data(), y.data(), element_of<T>(),
                                         {pixels, channels, channels}, epilogue, nullptr) == cudaSuccess);
  const Values result = y.values();
  for (std::size_t i = 0; i < result.size(); ++i) {
    CHECK((i % 8 >= 4 ? result[i] == 0 : i / 8 == 1 ? std::isnan(result[i]) : result[i] == 8));
  }
  CHECK(mask.values() == Values(pixels, 255));
}

TEST_CASE("1×1 convolutions that the kernel does not take") {
  constexpr std::size_t enough = std::size_t{96} << 10U;
  CHECK(kernels::takes_pointwise({10, 64, 256}, enough));
  CHECK_FALSE(kernels::takes_pointwise({10, 63, 256}, enough));
  CHECK_FALSE(kernels::takes_pointwise({10, 64, 10}, enough));
  CHECK_FALSE(kernels::takes_pointwise({10, 64, 256}, enough - 1));
  const DeviceValues<float> values(Values(129, 1.0));
  CHECK(kernels::pointwise_convolution(values.data() + 1, values.data(), values.data() + 64, kernels::Element::float32,
                                       {1, 8, 8}, {}, nullptr) == cudaErrorInvalidValue);
}

}  // namespace blindspot::tests
