// What the tests of the walk share: images, pairs, a run that collects its results, and equality in every bit. Uses
// walk.h, toy_networks.h and the device of the program.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/levelset/philox.h"
#include "engine/levelset/walk.h"
#include "tests/devices.h"
#include "toy_networks.h"

namespace blindspot::tests {

inline std::unique_ptr<Device> test_device() {
  return device_for(Precision::fp32);
}

/// Image `number`: uniform noise, the same on every machine.
inline Image test_image(std::uint64_t number, int height, int width) {
  Image image{height, width, std::vector<float>(static_cast<std::size_t>(3 * height * width))};
  levelset::uniform({99, number, 0, levelset::RandomUse::simplex_points}, image.values);
  return image;
}

/// Pairs over a few images, with classes in turn.
struct TestPairs {
  std::vector<Image> images;
  std::vector<WalkPair> pairs;

  TestPairs(std::size_t count, int height, int width, std::int32_t classes) {
    for (std::uint64_t i = 0; i <= count; ++i) images.push_back(test_image(i, height, width));
    for (std::size_t i = 0; i < count; ++i) {
      WalkPair& pair = pairs.emplace_back();
      pair.source = &images[i];
      pair.target = &images[i + 1];
      pair.source_class = static_cast<std::int32_t>(i) % classes;
      pair.target_class = static_cast<std::int32_t>(i + 1) % classes;
    }
  }
};

/// Sources in the class that the model puts them in, so that a walk has something to lose.
inline void classify_sources(TestPairs& set, const ToyModel& model) {
  for (WalkPair& pair : set.pairs) {
    const std::vector<double> logits = model.logits(pair.source->values);
    pair.source_class = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
}

/// The U that the engine draws for a pair.
inline std::vector<float> start_noise_of(const WalkPair& pair, std::uint64_t seed) {
  std::vector<float> noise(pair.source->values.size());
  const std::uint64_t pixels = levelset::hash_pixels(pair.source->values, pair.target->values);
  levelset::uniform({seed, pixels, pair.occurrence, levelset::RandomUse::start_noise}, noise);
  return noise;
}

/// Walks all pairs after `prepare`; results in the order of the pairs.
inline std::vector<WalkResult> walk_all(Network& network, Device& device, std::int64_t slots,
                                        const std::vector<WalkPair>& pairs, const WalkParameters& parameters,
                                        WalkOptions options = {}, const levelset::Fp32Probabilities& reverify = {}) {
  levelset::prepare(network, device, slots);
  std::vector<WalkResult> results(pairs.size());
  options.finished = [&results](std::size_t pair, WalkResult&& result) { results.at(pair) = std::move(result); };
  levelset::traverse(network, device, slots, pairs, parameters, options, reverify);
  return results;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// Every number and image of two results, bit for bit.
inline bool same_bits(const WalkResult& a, const WalkResult& b) {
  const auto numbers = [](const WalkResult& r) {
    return std::vector<float>{r.source_probability, r.start_probability, r.probability, r.target_probability};
  };
  bool same = same_bits(numbers(a), numbers(b)) && a.outside == b.outside && a.accepted == b.accepted &&
              a.rejected == b.rejected && a.records.size() == b.records.size() &&
              same_bits(a.final_image.values, b.final_image.values) && a.decisions == b.decisions &&
              same_bits(a.candidate_probabilities, b.candidate_probabilities) &&
              a.first_images.size() == b.first_images.size();
  for (std::size_t i = 0; same && i < a.records.size(); ++i) {
    const WalkRecord& one = a.records[i];
    const WalkRecord& other = b.records[i];
    same = one.iteration == other.iteration && same_bits(one.image.values, other.image.values) &&
           same_bits(std::vector<float>{one.probability, one.target_probability},
                     std::vector<float>{other.probability, other.target_probability});
  }
  for (std::size_t i = 0; same && i < a.first_images.size(); ++i) {
    same = same_bits(a.first_images[i].values, b.first_images[i].values);
  }
  return same;
}

}  // namespace blindspot::tests
