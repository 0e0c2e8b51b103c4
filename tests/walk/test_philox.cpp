// Philox against the published vectors, and what is drawn from it: uniform numbers, Gaussians, streams that never meet.
// Uses engine/levelset/philox.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "blindspot/error.h"
#include "engine/levelset/philox.h"

namespace blindspot::levelset {
namespace {

TEST_CASE("philox4x32-10 gives the published known answers") {
  // Random123's kat_vectors: counter, key, result.
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream's identity and index each have their own bits") {
  const StreamIdentity identity{0x1122334455667788, 0x99AABBCCDDEEFF00, 5, RandomUse::width_directions};
  CHECK(stream_block(identity, 7) == philox({7, 0x02000005, 0xDDEEFF00, 0x99AABBCC}, {0x55667788, 0x11223344}));

  std::set<Counter> blocks;
  std::vector<StreamIdentity> identities(6, identity);
  identities[1].seed += std::uint64_t{1} << 32U;
  identities[2].pixels += std::uint64_t{1} << 32U;
  identities[3].occurrence += 1;
  identities[4].use = RandomUse::start_noise;
  identities[5].seed += 1;
  for (const StreamIdentity& one : identities) {
    for (std::uint32_t index = 0; index < 100; ++index) blocks.insert(stream_block(one, index));
  }
  CHECK(blocks.size() == 600);

  StreamIdentity repeated = identity;
  repeated.occurrence = 1U << 24U;
  CHECK_THROWS_AS(stream_block(repeated, 0), Error);
}

TEST_CASE("uniform numbers are the upper 24 bits of the words, whatever the length") {
  const StreamIdentity identity{42, 7, 0, RandomUse::start_noise};
  std::vector<float> values(30001);
  uniform(identity, values);
  for (std::size_t i = 0; i < 9; ++i) {
    const Counter words = stream_block(identity, static_cast<std::uint32_t>(i / 4));
    CHECK(values[i] == static_cast<float>(std::ldexp(words[i % 4] >> 8U, -24)));
  }
  const auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
  CHECK(*smallest >= 0.0F);
  CHECK(*largest < 1.0F);
  double mean = 0;
  for (const float value : values) mean += value / 30001.0;
  CHECK(mean == doctest::Approx(0.5).epsilon(0.01));

  std::vector<float> shorter(6);
  uniform(identity, shorter);
  CHECK(std::equal(shorter.begin(), shorter.end(), values.begin()));
}

TEST_CASE("Gaussians follow Box-Muller, also through the series of our own") {
  const StreamIdentity identity{1, 2, 3, RandomUse::simplex_points};
  std::vector<float> values(20003);
  gaussian(identity, values);
  double worst = 0;
  double mean = 0;
  double square = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Counter words = stream_block(identity, static_cast<std::uint32_t>(i / 4));
    const std::size_t pair = i % 4 / 2 * 2;
    const double radius = std::sqrt(-2 * std::log((words[pair] + 1.0) / 4294967296.0));
    const double angle = 2 * std::numbers::pi * words[pair + 1] / 4294967296.0;
    const double expected = radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    worst = std::max(worst, std::abs(values[i] - expected) / (std::abs(expected) + 1e-6));
    mean += values[i];
    square += static_cast<double>(values[i]) * values[i];
  }
  CHECK(worst < 6.1e-8);  // one rounding to float32
  CHECK(std::abs(mean / 20003) < 0.03);
  CHECK(square / 20003 == doctest::Approx(1).epsilon(0.03));
}

TEST_CASE("the hash of pixels reads bytes, source first") {
  const std::vector<float> one{1.0F};
  const std::vector<float> none;
  // FNV-1a of 00 00 80 3f, written out.
  std::uint64_t expected = 0xCBF29CE484222325;
  for (const std::uint64_t byte : {0x00U, 0x00U, 0x80U, 0x3FU}) expected = (expected ^ byte) * 0x100000001B3;
  CHECK(hash_pixels(one, none) == expected);
  const std::vector<float> two{2.0F};
  CHECK(hash_pixels(one, two) != hash_pixels(two, one));
}

}  // namespace
}  // namespace blindspot::levelset
