// float16 for the host execution: the type and its conversions, exact, without arithmetic. May use the standard
// library.
#pragma once

#include <bit>
#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the names are CUDA's.

class __half {
  friend constexpr unsigned short __half_as_ushort(__half value);
  friend constexpr __half __ushort_as_half(unsigned short bits);
  unsigned short bits_;
};

constexpr unsigned short __half_as_ushort(__half value) {
  return value.bits_;
}
constexpr __half __ushort_as_half(unsigned short bits) {
  __half value{};
  value.bits_ = bits;
  return value;
}

constexpr float __half2float(__half value) {
  const std::uint32_t bits = __half_as_ushort(value);
  const std::uint32_t sign = (bits & 0x8000U) << 16U, exponent = (bits >> 10U) & 31U, fraction = bits & 0x3FFU;
  // Subnormal: fraction · 2^-24 is exact in float32.
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  const std::uint32_t widened = exponent == 31 ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | (widened << 23U) | (fraction << 13U));
}

/// To nearest, ties to even; every NaN becomes the one that a GPU makes.
constexpr __half __float2half_rn(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
  const auto signed_half = [sign](std::uint32_t half) {
    return __ushort_as_half(static_cast<unsigned short>(sign | half));
  };
  if (magnitude > 0x7F800000U) return __ushort_as_half(0x7FFF);
  if (magnitude >= 0x477FF000U) return signed_half(0x7C00);  // 65520 and above round to infinity
  if (magnitude < 0x33000000U) return signed_half(0);        // below 2^-25
  const std::uint32_t exponent = magnitude >> 23U;
  // Normal halves drop 13 bits; a subnormal one drops more, and its leading one becomes explicit.
  const bool subnormal = exponent < 113;
  const std::uint32_t dropped = subnormal ? 126 - exponent : 13;
  const std::uint32_t fraction = subnormal ? (magnitude & 0x7FFFFFU) | 0x800000U : magnitude - (112U << 23U);
  const std::uint32_t even = (fraction >> dropped) & 1U;
  return signed_half((fraction + (1U << (dropped - 1)) - 1 + even) >> dropped);
}
constexpr __half __float2half(float value) {
  return __float2half_rn(value);
}

// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
