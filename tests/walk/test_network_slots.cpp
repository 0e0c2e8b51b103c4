// Walks of a convolutional network and of a transformer in slots: a pair's result has the same bits alone, in company,
// in any slot, in a padded last batch, and again, in every precision of the device. Uses the engine below the public
// interface, rule-made weights and the fixture beside.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/networks/architecture.h"
#include "walk_fixture.h"

namespace blindspot::tests {
namespace {

constexpr std::int64_t slice = 2;

VisionTransformerDescription transformer_of(int side) {
  VisionTransformerDescription description;
  description.width = 32;
  description.depth = 2;
  description.heads = 2;
  description.patch = 4;
  description.mlp_width = 64;
  description.classes = 10;
  description.image_size = side;
  return description;
}

std::unique_ptr<Network> rule_made_network(const Architecture& architecture, int side, Device& device) {
  Preprocessing preprocessing = default_preprocessing(architecture);
  preprocessing.input_size = side;
  return build(architecture, rule_state(architecture, 1), preprocessing, slice, device);
}

/// Sources in the class that the network puts them in, so that a walk has something to lose.
void classify_sources(TestPairs& set, std::int32_t classes, Network& network, Device& device) {
  WalkParameters parameters;
  parameters.iterations = 1;
  for (WalkPair& pair : set.pairs) {
    std::vector<WalkPair> of_each_class(static_cast<std::size_t>(classes), pair);
    for (std::int32_t k = 0; k < classes; ++k) of_each_class[static_cast<std::size_t>(k)].source_class = k;
    const auto results = walk_all(network, device, 2, of_each_class, parameters);
    const auto surest = std::max_element(results.begin(), results.end(), [](const auto& a, const auto& b) {
      return a.source_probability < b.source_probability;
    });
    pair.source_class = static_cast<std::int32_t>(surest - results.begin());
  }
}

/// The pairs in this order.
std::vector<WalkPair> in_order(const std::vector<WalkPair>& pairs, const std::vector<std::size_t>& order) {
  std::vector<WalkPair> ordered;
  ordered.reserve(order.size());
  for (const std::size_t number : order) ordered.push_back(pairs.at(number));
  return ordered;
}

void compare_slots(Network& network, Device& device, const TestPairs& set, const WalkParameters& parameters) {
  WalkOptions options;
  options.keep_trace = true;
  options.trace_images = 2;
  std::vector<WalkResult> alone;
  for (const WalkPair& pair : set.pairs) {
    alone.push_back(std::move(walk_all(network, device, 1, {pair}, parameters, options)[0]));
  }
  const auto rejected = [](const WalkResult& result) { return result.rejected > 0; };
  const auto accepted = [](const WalkResult& result) { return result.accepted > 0; };
  CHECK(std::any_of(alone.begin(), alone.end(), rejected));
  CHECK(std::any_of(alone.begin(), alone.end(), accepted));
  // Five pairs in slices of two: the last is padded, and so is that of three slots.
  for (const std::int64_t slots : {3, 5}) {
    for (const std::vector<std::size_t>& order : {std::vector<std::size_t>{0, 1, 2, 3, 4}, {3, 0, 4, 2, 1}}) {
      CAPTURE(slots);
      CAPTURE(order[0]);
      const auto results = walk_all(network, device, slots, in_order(set.pairs, order), parameters, options);
      for (std::size_t i = 0; i < order.size(); ++i) CHECK(same_bits(results[i], alone[order[i]]));
    }
  }
}

TEST_CASE("a network's walk has the same bits alone, in company, in any slot, and again") {
  const int side = device_is_emulated() ? 8 : 32;
  for (const Architecture& architecture :
       {architecture_named("cifar_resnet20"), Architecture{"small vit", transformer_of(side)}}) {
    for (const Precision precision : device_precisions()) {
      const auto device = device_for(precision);
      if (!device) continue;
      CAPTURE(architecture.name);
      CAPTURE(to_string(precision));
      const auto network = rule_made_network(architecture, side, *device);
      WalkParameters parameters;
      parameters.iterations = device_is_emulated() ? 5 : 20;
      parameters.record_every = 3;
      parameters.step_size = 0.1F;
      parameters.delta = 0.0001F;  // rule-made networks hardly change their mind
      TestPairs set(5, side, side, 10);
      classify_sources(set, 10, *network, *device);
      compare_slots(*network, *device, set, parameters);
    }
  }
}

}  // namespace
}  // namespace blindspot::tests
