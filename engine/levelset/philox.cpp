// Streams of random numbers named by what they are for: uniform numbers and Gaussians, the same bits on every machine.
// Uses philox_words.h.
#include "engine/levelset/philox.h"

#include <bit>

#include "blindspot/error.h"

namespace blindspot::levelset {
namespace {

constexpr std::uint32_t low_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}

}  // namespace

RandomStream stream_of(const StreamIdentity& identity) {
  if (identity.occurrence >= (std::uint64_t{1} << 24U)) {
    throw Error(ErrorKind::usage, "the same two images are paired more than 16777216 times: use another --seed");
  }
  const std::uint32_t purpose = static_cast<std::uint32_t>(identity.use) << 24U | low_word(identity.occurrence);
  return {{low_word(identity.seed), high_word(identity.seed)},
          {purpose, low_word(identity.pixels), high_word(identity.pixels)}};
}

Counter stream_block(const StreamIdentity& identity, std::uint32_t index) {
  const RandomStream stream = stream_of(identity);
  return philox({index, stream.counter[0], stream.counter[1], stream.counter[2]}, stream.key);
}

std::uint64_t hash_pixels(std::span<const std::span<const float>> images) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::span<const float> image : images) {
    for (const float value : image) {
      const auto bits = std::bit_cast<std::uint32_t>(value);
      for (unsigned shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xFFU)) * 0x100000001B3;
    }
  }
  return hash;
}

std::uint64_t hash_pixels(std::span<const float> source, std::span<const float> target) {
  return hash_pixels(std::array{source, target});
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
      const auto [even, odd] = box_muller(words[i], words[i + 1]);
      values[first + i] = static_cast<float>(even);
      if (first + i + 1 < values.size()) values[first + i + 1] = static_cast<float>(odd);
    }
  }
}

}  // namespace blindspot::levelset
