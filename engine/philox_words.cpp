// Implementation of philox_words.h.
#include "engine/philox_words.h"

#include <cmath>
#include <numbers>

namespace blindspot {
namespace {

constexpr std::uint32_t low_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}

Counter round(const Counter& counter, const Key& key) {
  const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
  const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
  return {high_word(second) ^ counter[1] ^ key[0], low_word(second), high_word(first) ^ counter[3] ^ key[1],
          low_word(first)};
}

/// ln(value) for value in (0, 1]: 2^k·m with m in (√½, √2], then ln m = 2·artanh((m − 1)/(m + 1)) as a series; the
/// first term left out is below 2⁻⁵⁷ of the sum.
double logarithm(double value) {
  int exponent = 0;
  double mantissa = std::frexp(value, &exponent);  // [½, 1), exact
  if (mantissa <= 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double ratio = (mantissa - 1) / (mantissa + 1);  // |ratio| ≤ 0.1716
  const double square = ratio * ratio;
  double sum = 0;
  for (int power = 21; power >= 1; power -= 2) sum = sum * square + 1.0 / power;
  return exponent * std::numbers::ln2 + 2 * ratio * sum;
}

/// Sine and cosine of an angle in [0, π/4] by their Taylor series, from the smallest term up.
std::pair<double, double> sine_and_cosine(double angle) {
  const double square = angle * angle;
  double sine = 1;
  double cosine = 1;
  for (int term = 17; term >= 3; term -= 2) sine = 1 - sine * square / (term * (term - 1));
  for (int term = 18; term >= 2; term -= 2) cosine = 1 - cosine * square / (term * (term - 1));
  return {angle * sine, cosine};
}

/// Point of the unit circle at 2π·word·2⁻³² as (cosine, sine): the octant is taken off exactly, in integers.
std::pair<double, double> circle(std::uint32_t word) {
  const std::uint32_t quarter = word >> 30U;
  const std::uint32_t rest = word & 0x3FFFFFFFU;  // of a quarter turn, in units of 2⁻³⁰
  const bool mirrored = rest > 0x20000000U;
  const std::uint32_t folded = mirrored ? 0x40000000U - rest : rest;
  auto [sine, cosine] = sine_and_cosine(folded * 0x1p-30 * (std::numbers::pi / 2));
  if (mirrored) std::swap(sine, cosine);
  switch (quarter) {
    case 0:
      return {cosine, sine};
    case 1:
      return {-sine, cosine};
    case 2:
      return {-cosine, -sine};
    default:
      return {sine, -cosine};
  }
}

}  // namespace

Counter philox(Counter counter, Key key) {
  for (int number = 0; number < 10; ++number) {
    counter = round(counter, key);
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

double natural_logarithm(double value) {
  return logarithm(value);
}

std::pair<double, double> box_muller(std::uint32_t first, std::uint32_t second) {
  const double radius = std::sqrt(-2 * logarithm((static_cast<double>(first) + 1) * 0x1p-32));
  const auto [cosine, sine] = circle(second);
  return {radius * cosine, radius * sine};
}

}  // namespace blindspot
