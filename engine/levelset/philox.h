// Streams of Philox4x32-10, named by content, never by row numbers. Uses philox_words.h and device_measures.h's name of
// a stream.
#pragma once

#include <cstdint>
#include <span>

#include "engine/device_measures.h"
#include "engine/philox_words.h"

namespace blindspot::levelset {

/// What a stream of random numbers is for; part of its identity. Values below 256.
enum class RandomUse : std::uint32_t {
  start_noise = 1,
  width_directions = 2,
  simplex_points = 3,
  image_order = 4,
  target_round = 5
};

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
RandomStream stream_of(const StreamIdentity& identity);
Counter stream_block(const StreamIdentity& identity, std::uint32_t index);

/// 64-bit FNV-1a over the float32 bytes (little-endian) of the images' values, one image after another.
std::uint64_t hash_pixels(std::span<const std::span<const float>> images);
/// Of the source, then the target.
std::uint64_t hash_pixels(std::span<const float> source, std::span<const float> target);
/// U[i] = (word >> 8)·2⁻²⁴ in [0, 1), where word is number i mod 4 of block ⌊i/4⌋. At most 2³⁴ values.
void uniform(const StreamIdentity& identity, std::span<float> values);
/// Words 2j and 2j+1 (numbered as in `uniform`) give values 2j and 2j+1 by box_muller, rounded once to float32.
void gaussian(const StreamIdentity& identity, std::span<float> values);

}  // namespace blindspot::levelset
