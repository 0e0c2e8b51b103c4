// Blocks of 64 elements for vector_kernels*.h: loaded as float32, stored in the array's own type, with the 64 bits of a
// mask. For vector_kernels.cpp alone, which is compiled for three instruction sets: everything lies in the namespace of
// the level, and nothing is included that could leave code of a wide level under a name that all levels share.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "engine/cpu/vector_kernels.h"

namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL {

constexpr int lanes = static_cast<int>(block_elements);

/// 64 values of an array as float32.
struct Block {
  alignas(64) float values[lanes];
};

inline float load(float from) {
  return from;
}
inline float load(Bfloat16 from) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(from) << 16);
}
inline void store(float value, float& to) {
  to = value;
}
inline void store(float value, Bfloat16& to) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40;
  to = static_cast<Bfloat16>((bits & 0x7fffffff) > 0x7f800000 ? quiet_nan : rounded);
}

/// `count` (at most 64) values; the rest becomes `rest`.
template <typename Element>
inline void load_block(const Element* from, std::int64_t count, Block& block, float rest = 0.0F) {
  if (count >= lanes) {
    for (int i = 0; i < lanes; ++i) block.values[i] = load(from[i]);
    return;
  }
  for (float& value : block.values) value = rest;
  for (std::int64_t i = 0; i < count; ++i) block.values[i] = load(from[i]);
}

template <typename Element>
inline void store_block(const Block& block, Element* to, std::int64_t count) {
  if (count >= lanes) {
    for (int i = 0; i < lanes; ++i) store(block.values[i], to[i]);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) store(block.values[i], to[i]);
}

/// Bit i: values[i] > 0 or NaN.
inline std::uint64_t positive_bits(const Block& block) {
  std::uint64_t bits = 0;
#if defined(__AVX512F__)
  for (std::int64_t part = 0; part < 4; ++part) {
    const __m512 values = _mm512_load_ps(block.values + part * 16);
    const auto positive = static_cast<std::uint64_t>(_mm512_cmp_ps_mask(values, _mm512_setzero_ps(), _CMP_NLE_UQ));
    bits |= positive << (part * 16);
  }
#elif defined(__AVX__)
  for (std::int64_t part = 0; part < 8; ++part) {
    const __m256 values = _mm256_load_ps(block.values + part * 8);
    const int positive = _mm256_movemask_ps(_mm256_cmp_ps(values, _mm256_setzero_ps(), _CMP_NLE_UQ));
    bits |= static_cast<std::uint64_t>(positive) << (part * 8);
  }
#else
  for (std::int64_t part = 0; part < 16; ++part) {
    const __m128 values = _mm_load_ps(block.values + part * 4);
    const int positive = _mm_movemask_ps(_mm_cmpnle_ps(values, _mm_setzero_ps()));
    bits |= static_cast<std::uint64_t>(positive) << (part * 4);
  }
#endif
  return bits;
}

/// values[i] ← bit i set ? values[i] : 0.
inline void apply_bits(std::uint64_t bits, Block& block) {
#if defined(__AVX512F__)
  for (std::int64_t part = 0; part < 4; ++part) {
    float* values = block.values + part * 16;
    _mm512_store_ps(values, _mm512_maskz_loadu_ps(static_cast<__mmask16>(bits >> (part * 16)), values));
  }
#else
  for (std::int64_t half = 0; half < 2; ++half) {
    const auto word = static_cast<std::uint32_t>(bits >> (half * 32));
    float* values = block.values + half * 32;
    for (int i = 0; i < 32; ++i) {
      const std::uint32_t keep = 0U - ((word >> i) & 1U);
      values[i] = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, values[i]) & keep);
    }
  }
#endif
}

/// The mask's bytes that hold `count` (at most 64) bits; x86 stores the lowest first.
inline std::uint64_t load_bits(const std::uint8_t* mask, std::int64_t count) {
  std::uint64_t bits = 0;
  if (count >= lanes) {
    __builtin_memcpy(&bits, mask, 8);
  } else {
    for (std::int64_t byte = 0; byte < (count + 7) / 8; ++byte) {
      bits |= static_cast<std::uint64_t>(mask[byte]) << (8 * byte);
    }
  }
  return bits;
}

inline void store_bits(std::uint64_t bits, std::uint8_t* mask, std::int64_t count) {
  if (count >= lanes) {
    __builtin_memcpy(mask, &bits, 8);
  } else {
    for (std::int64_t byte = 0; byte < (count + 7) / 8; ++byte) {
      mask[byte] = static_cast<std::uint8_t>(bits >> (8 * byte));
    }
  }
}

/// `count` (at most 64) bits that begin anywhere in a mask.
inline std::uint64_t load_bits_at(const std::uint8_t* mask, std::int64_t first, std::int64_t count) {
  const auto shift = static_cast<int>(first % 8);
  const std::uint8_t* bytes = mask + first / 8;
  if (shift == 0) return load_bits(bytes, count);
  const std::int64_t needed = shift + count;
  std::uint64_t bits = load_bits(bytes, needed) >> shift;
  if (needed > lanes) bits |= static_cast<std::uint64_t>(bytes[8]) << (lanes - shift);
  return bits;
}

inline std::int64_t smaller(std::int64_t left, std::int64_t right) {
  return left < right ? left : right;
}

}  // namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL
