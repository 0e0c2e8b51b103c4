// Philox4x32-10 and what is drawn from it: uniform numbers and Gaussians, the same bits on every machine. Uses the
// standard library only.
#include "engine/levelset/philox.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "blindspot/error.h"

namespace blindspot::levelset {
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

Counter stream_block(const StreamIdentity& identity, std::uint32_t index) {
  if (identity.occurrence >= (std::uint64_t{1} << 24U)) {
    throw Error(ErrorKind::usage, "the same two images are paired more than 16777216 times: use another --seed");
  }
  const std::uint32_t purpose = static_cast<std::uint32_t>(identity.use) << 24U | low_word(identity.occurrence);
  return philox({index, purpose, low_word(identity.pixels), high_word(identity.pixels)},
                {low_word(identity.seed), high_word(identity.seed)});
}

std::uint64_t hash_pixels(std::span<const float> source, std::span<const float> target) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::span<const float> image : {source, target}) {
    for (const float value : image) {
      const auto bits = std::bit_cast<std::uint32_t>(value);
      for (unsigned shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xFFU)) * 0x100000001B3;
    }
  }
  return hash;
}

void uniform(const StreamIdentity& identity, std::span<float> values) {
  for (std::size_t first = 0; first < values.size(); first += 4) {
    const Counter words = stream_block(identity, static_cast<std::uint32_t>(first / 4));
    for (std::size_t i = 0; i < 4 && first + i < values.size(); ++i) {
      values[first + i] = static_cast<float>(words[i] >> 8U) * 0x1p-24F;  // 24 bits: exact
    }
  }
}

void gaussian(const StreamIdentity& identity, std::span<float> values) {
  for (std::size_t first = 0; first < values.size(); first += 4) {
    const Counter words = stream_block(identity, static_cast<std::uint32_t>(first / 4));
    for (std::size_t i = 0; i < 4 && first + i < values.size(); i += 2) {
      const double radius = std::sqrt(-2 * logarithm((static_cast<double>(words[i]) + 1) * 0x1p-32));
      const auto [cosine, sine] = circle(words[i + 1]);
      values[first + i] = static_cast<float>(radius * cosine);
      if (first + i + 1 < values.size()) values[first + i + 1] = static_cast<float>(radius * sine);
    }
  }
}

}  // namespace blindspot::levelset
