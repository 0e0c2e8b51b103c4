// bfloat16 for the host execution: the type and its conversions, exact, without arithmetic. May use the standard
// library.
#pragma once

#include <bit>
#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the names are CUDA's.

class __nv_bfloat16 {
  friend constexpr unsigned short __bfloat16_as_ushort(__nv_bfloat16 value);
  friend constexpr __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits);
  unsigned short bits_;
};

constexpr unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) {
  return value.bits_;
}
constexpr __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  __nv_bfloat16 value{};
  value.bits_ = bits;
  return value;
}

constexpr float __bfloat162float(__nv_bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(__bfloat16_as_ushort(value)) << 16U);
}

/// To nearest, ties to even; every NaN becomes the one that a GPU makes.
constexpr __nv_bfloat16 __float2bfloat16_rn(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return __ushort_as_bfloat16(0x7FFF);
  return __ushort_as_bfloat16(static_cast<unsigned short>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U));
}
constexpr __nv_bfloat16 __float2bfloat16(float value) {
  return __float2bfloat16_rn(value);
}

// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
