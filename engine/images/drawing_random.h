// The random numbers of the drawn pictures: a counter hashed by splitmix64's finaliser (Steele, Lea, Flood 2014), so
// that a number depends on nothing but (seed, label, number of the picture, how many were drawn). Uses the standard
// library.
#pragma once

#include <cstdint>

namespace blindspot::drawing {

/// A bijection of 64-bit words that mixes every bit into every other.
constexpr std::uint64_t mix_bits(std::uint64_t word) {
  word = (word ^ (word >> 30U)) * 0xBF58476D1CE4E5B9U;
  word = (word ^ (word >> 27U)) * 0x94D049BB133111EBU;
  return word ^ (word >> 31U);
}

/// A stream of random numbers for one picture. All results are exact in double, so they are the same bits everywhere.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t label, std::uint64_t number)
      : key_(mix_bits(mix_bits(mix_bits(seed + increment) + label + increment) + number + increment)) {}

  std::uint64_t word() { return mix_bits(key_ + increment * ++drawn_); }

  /// Uniform in [0, 1), a multiple of 2⁻⁵³.
  double uniform() { return static_cast<double>(word() >> 11U) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }

  /// Mean 0, variance 1, within ±3.5: the sum of four uniform 16-bit numbers, which needs no logarithm.
  double bell() {
    const std::uint64_t bits = word();
    const std::uint64_t sum = (bits & 0xFFFFU) + (bits >> 16U & 0xFFFFU) + (bits >> 32U & 0xFFFFU) + (bits >> 48U);
    constexpr double mean = 2.0 * 65535.0;
    constexpr double deviation_inverse = 1.7320508075688772 / 65536.0;  // the variance of one is 65536²/12
    return (static_cast<double>(sum) - mean) * deviation_inverse;
  }

 private:
  static constexpr std::uint64_t increment = 0x9E3779B97F4A7C15U;  // 2⁶⁴ over the golden ratio, odd
  std::uint64_t key_;
  std::uint64_t drawn_ = 0;
};

}  // namespace blindspot::drawing
