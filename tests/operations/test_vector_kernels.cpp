// The loops of each instruction set against each other, bit for bit, and against double where only their accuracy
// shows. Levels that the processor lacks are left out with a line.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/cpu/vector_kernels.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

using cpu::Bfloat16;
using cpu::ElementKernels;
using cpu::NormKernels;
using cpu::VectorKernels;

/// Everything that a table computed, as bits.
using Bits = std::vector<std::uint32_t>;

/// Element counts around blocks and vectors.
constexpr std::array<std::int64_t, 9> counts = {1, 3, 5, 13, 63, 64, 65, 200, 1031};

std::vector<const VectorKernels*> tables() {
  std::vector<const VectorKernels*> list = {&cpu::vector_kernels_v2()};
  if (cpu::supports_vector_level(3)) list.push_back(&cpu::vector_kernels_v3());
  if (cpu::supports_vector_level(4)) list.push_back(&cpu::vector_kernels_v4());
  if (list.size() < 3) MESSAGE("skipped: this processor has only ", list.size(), " of the 3 levels");
  return list;
}

void put(float value, float& to) {
  to = value;
}
void put(float value, Bfloat16& to) {
  to = static_cast<Bfloat16>(std::bit_cast<std::uint32_t>(value) >> 16);
}
std::uint32_t bits(float value) {
  return std::bit_cast<std::uint32_t>(value);
}
std::uint32_t bits(std::uint16_t value) {
  return value;
}
std::uint32_t bits(std::uint8_t value) {
  return value;
}

template <typename Element>
void append(Bits& to, const std::vector<Element>& values) {
  for (const Element value : values) to.push_back(bits(value));
}

/// Random numbers with the special ones among them.
template <typename Element>
std::vector<Element> numbers(std::int64_t count, std::uint64_t seed, bool special = true) {
  const Values values = random_values({count}, seed, -3, 3);
  std::vector<Element> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) put(static_cast<float>(values[i]), result[i]);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::array<float, 5> specials = {std::numeric_limits<float>::quiet_NaN(), 0.0F, -0.0F, infinity, -infinity};
  for (std::size_t i = 0; special && i < specials.size() && 7 * i + 2 < result.size(); ++i) {
    put(specials[i], result[7 * i + 2]);
  }
  return result;
}

std::vector<std::uint8_t> mask_of(std::int64_t count) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>((count + 7) / 8));
}

template <typename Element>
void run_elements(const ElementKernels<Element>& kernels, std::int64_t count, Bits& results) {
  auto x = numbers<Element>(count, 1), y = x, other = numbers<Element>(count, 2);
  const auto scale = numbers<float>(13, 3, false), shift = numbers<float>(13, 4, false);
  auto mask = mask_of(count), packed = mask;
  kernels.relu(y.data(), mask.data(), count);
  kernels.pack_mask(y.data(), packed.data(), count);
  CHECK(mask == packed);
  append(results, y);
  append(results, mask);
  kernels.apply_mask(other.data(), mask.data(), count);
  append(results, other);
  kernels.add(x.data(), other.data(), count);
  append(results, other);
  kernels.add_and_mask(x.data(), other.data(), mask.data(), count);
  append(results, other);
  kernels.affine_relu(x.data(), scale.data(), shift.data(), 13, 5, y.data(), mask.data(), count);
  append(results, y);
  append(results, mask);
  for (const bool accumulate : {false, true}) {
    kernels.affine_relu_gradient(x.data(), scale.data(), mask.data(), 13, 5, other.data(), accumulate, count);
    append(results, other);
  }
  kernels.gelu(x.data(), y.data(), count);
  append(results, y);
  kernels.gelu_gradient(x.data(), other.data(), count);
  append(results, other);
  kernels.poison(x.data(), other.data(), count);
  append(results, other);
}

/// 2 × 3 pixels of `count` channels.
template <typename Element>
void run_pools(const ElementKernels<Element>& kernels, std::int64_t count, Bits& results) {
  const auto x = numbers<Element>(6 * count, 5);
  std::vector<Element> y(static_cast<std::size_t>(count));
  std::vector<std::uint8_t> index(x.size());
  const cpu::PoolRectangle taps = {2, 3, 3 * count, count, 1, 5, 1};
  kernels.max_pool(x.data(), taps, count, y.data(), index.data());
  append(results, y);
  append(results, std::vector<std::uint8_t>(index.begin(), index.begin() + count));
  kernels.average_pool(x.data(), taps, count, y.data());
  append(results, y);
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::uint8_t>(i % 9);
  auto mask = mask_of(3 + count);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = static_cast<std::uint8_t>(37 * i + 11);
  const cpu::PoolRectangle windows = {2, 3, 3 * count, count, 8, -3, -1};
  kernels.max_pool_gradient(x.data(), index.data(), windows, count, {mask.data(), 3}, y.data());
  append(results, y);
  kernels.average_pool_gradient(x.data(), {0, 2, 5, 2, 1, 2, 4, 3}, count, {mask.data(), 3}, y.data());
  append(results, y);
}

template <typename Stream, typename Activation>
void run_norm(const NormKernels<Stream, Activation>& kernels, std::int64_t width, Bits& results) {
  const auto x = numbers<Stream>(2 * width, 6, false);
  const auto scale = numbers<float>(width, 7, false), shift = numbers<float>(width, 8, false);
  const auto dy = numbers<Activation>(2 * width, 9, false);
  std::vector<Activation> y(x.size()), normalised(x.size());
  std::vector<float> inverse(2);
  auto dx = x;
  kernels.forward(x.data(), scale.data(), shift.data(), 1e-6F, 2, width, y.data(), normalised.data(), inverse.data());
  kernels.gradient(dy.data(), scale.data(), normalised.data(), inverse.data(), 2, width, dx.data(), true);
  append(results, y);
  append(results, normalised);
  append(results, inverse);
  append(results, dx);
}

Bits run_table(const VectorKernels& table) {
  Bits results;
  for (const std::int64_t count : counts) {
    run_elements(table.float32, count, results);
    run_elements(table.bfloat16, count, results);
    run_pools(table.float32, count, results);
    run_pools(table.bfloat16, count, results);
    run_norm(table.norm_float32, count, results);
    run_norm(table.norm_mixed, count, results);
    run_norm(table.norm_bfloat16, count, results);
    auto x = numbers<float>(count, 10), wide = x;
    std::vector<Bfloat16> narrow(x.size());
    table.to_bfloat16(x.data(), narrow.data(), count);
    append(results, narrow);
    table.to_float32(narrow.data(), wide.data(), count);
    append(results, wide);
    const auto gradient = numbers<float>(count, 11, false), image = numbers<float>(count, 12, false);
    const cpu::GradientProducts products = table.gradient_products(gradient.data(), image.data(), x.data(), count);
    for (const double product : {products.with_direction, products.with_itself}) {
      results.push_back(bits(static_cast<float>(product)));
    }
    for (const bool adversarial : {false, true}) {
      table.step({0.05F, 0.3F, 0.5F, 0.01F, adversarial}, gradient.data(), x.data(), image.data(), wide.data(),
                 x.data(), count);
      append(results, wide);
      append(results, x);
    }
  }
  return results;
}

/// One step of float32 at this magnitude.
double unit(double value) {
  const auto magnitude = std::max(std::abs(static_cast<float>(value)), std::numeric_limits<float>::min());
  return static_cast<double>(std::nextafter(magnitude, std::numeric_limits<float>::infinity()) - magnitude);
}

}  // namespace

TEST_CASE("every instruction set gives the same bits") {
  const auto list = tables();
  const Bits first = run_table(*list.front());
  for (const VectorKernels* table : list) {
    const Bits other = run_table(*table);
    REQUIRE(other.size() == first.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      // A NaN keeps no promise about its sign and payload.
      const bool both_nan = std::isnan(std::bit_cast<float>(first[i])) && std::isnan(std::bit_cast<float>(other[i]));
      different += first[i] != other[i] && !both_nan ? 1U : 0U;
    }
    CHECK_MESSAGE(different == 0, table->name, ": ", different, " of ", first.size(), " values differ");
  }
  CHECK(std::string(cpu::choose_vector_kernels().name) == list.back()->name);
}

TEST_CASE("GELU and its derivative are good to a few units in the last place") {
  constexpr std::int64_t middle = 200000, count = 2 * middle + 1;
  std::vector<float> x(count), y(count), derivative(count, 1.0F);
  for (std::int64_t i = 0; i < count; ++i) {
    x[static_cast<std::size_t>(i)] = static_cast<float>(i - middle) * 6e-5F;  // −12 … 12
  }
  const VectorKernels& table = cpu::choose_vector_kernels();
  table.float32.gelu(x.data(), y.data(), count);
  table.float32.gelu_gradient(x.data(), derivative.data(), count);
  double forward_error = 0, gradient_error = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto value = static_cast<double>(x[i]);
    const double distribution = std::erfc(-value / std::sqrt(2.0)) / 2;
    const double slope = distribution + value * std::exp(-value * value / 2) / std::sqrt(2 * std::acos(-1.0));
    const double expected = value * distribution;
    forward_error = std::max(forward_error, std::abs(static_cast<double>(y[i]) - expected) / unit(expected));
    gradient_error = std::max(gradient_error, std::abs(static_cast<double>(derivative[i]) - slope));
  }
  MESSAGE("GELU within ", forward_error, " units in the last place, derivative within ", gradient_error);
  CHECK(forward_error < 8);
  CHECK(gradient_error < 2e-7);
}

TEST_CASE("rounding to bfloat16 is to nearest even and keeps NaN") {
  const std::vector<float> x = {1.0F,
                                1.00390625F,
                                1.01171875F,
                                -1.004F,
                                std::bit_cast<float>(0x7f800001U),
                                std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::max()};
  const std::vector<Bfloat16> expected = {0x3f80, 0x3f80, 0x3f82, 0xbf81, 0x7fc0, 0x7f80, 0x7f80};
  for (const VectorKernels* table : tables()) {
    std::vector<Bfloat16> got(x.size());
    table->to_bfloat16(x.data(), got.data(), static_cast<std::int64_t>(x.size()));
    CHECK(got == expected);
  }
}

}  // namespace blindspot::tests
