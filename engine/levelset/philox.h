// Philox4x32-10, the counter-based generator behind every random number of a run (Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011). Streams are named by content, never by row numbers. Uses the standard
// library.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace blindspot::levelset {

/// What a stream of random numbers is for; part of its identity. Values below 256.
enum class RandomUse : std::uint32_t {
  start_noise = 1,
  width_directions = 2,
  simplex_points = 3,
  image_order = 4,
  target_round = 5
};

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

/// Ten rounds of Philox4x32.
Counter philox(Counter counter, Key key);

/// Identity of a stream: (seed, hash of the two images' pixels, occurrence, use). Two identities that differ give
/// streams that share no block (see stream_block).
struct StreamIdentity {
  std::uint64_t seed = 0;
  std::uint64_t pixels = 0;
  std::uint64_t occurrence = 0;  ///< below 2²⁴
  RandomUse use = RandomUse::start_noise;
};

/// Block `index` of a stream, four words. Of 192 bits of key and counter each has one meaning, so no two streams meet:
///   key     = (seed low, seed high)
///   counter = (index, use · 2²⁴ + occurrence, pixels low, pixels high)
/// Throws Error(usage) for an occurrence of 2²⁴ or more.
Counter stream_block(const StreamIdentity& identity, std::uint32_t index);

/// 64-bit FNV-1a over the float32 bytes (little-endian) of the source's, then the target's values.
std::uint64_t hash_pixels(std::span<const float> source, std::span<const float> target);
/// U[i] = (word >> 8)·2⁻²⁴ in [0, 1), where word is number i mod 4 of block ⌊i/4⌋. At most 2³⁴ values.
void uniform(const StreamIdentity& identity, std::span<float> values);
/// Box–Muller in double, rounded once to float32. Words 2j and 2j+1 (numbered as in `uniform`) give values 2j and 2j+1:
/// r = √(−2 ln((w₀ + 1)·2⁻³²)), a = 2π·w₁·2⁻³²; r·cos a and r·sin a. Logarithm, sine and cosine are series of our own
/// in plain double arithmetic, so that no C library decides a bit.
void gaussian(const StreamIdentity& identity, std::span<float> values);

}  // namespace blindspot::levelset
