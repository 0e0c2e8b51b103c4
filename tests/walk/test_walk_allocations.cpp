// No memory is asked for between two iterations of a walk, but for what oneDNN takes by itself (allocation_count.h):
// the heap is counted around each on small rule-made networks, in every precision, in whole slices and padded ones.
// Uses allocation_count.h and the engine below the public interface.
#include <doctest/doctest.h>

#include <string>

#include "allocation_count.h"
#include "engine/networks/architecture.h"
#include "walk_fixture.h"

namespace blindspot::tests {
namespace {

/// Iterations (of one walk, records apart) in which something was allocated, and how often in all.
struct Allocating {
  int iterations = 0;
  std::int64_t allocations = 0;
};

/// Of the pictures, whatever the network's own size.
constexpr int image_side = 32;

Allocating count_allocations(Device& device, const Architecture& architecture, std::int64_t batch, std::int64_t slots) {
  Preprocessing preprocessing = default_preprocessing(architecture);
  preprocessing.input_size = image_side;
  const auto network = build(architecture, rule_state(architecture, 1), preprocessing, batch, device);
  const TestPairs set(3, image_side, image_side, 10);
  levelset::prepare(*network, device, slots);

  WalkParameters parameters;
  parameters.iterations = 30;
  parameters.record_every = 10;
  parameters.delta = 0.05F;
  parameters.step_size = 0.1F;
  WalkOptions options;
  Allocating result;
  int round = 0;
  std::int64_t before = allocations();
  options.progress = [&](const WalkProgress&) {
    const std::int64_t made = allocations() - before;
    before += made;
    // Rounds 0 and 1 are the source and the start; round r ends iteration r − 1. All pairs go together.
    const int iterations = round++ - 1;
    if (iterations < 1 || iterations % 10 == 0 || made == 0) return;
    ++result.iterations;
    result.allocations += made;
  };
  CHECK(levelset::traverse(*network, device, slots, set.pairs, parameters, options, {}));
  CHECK(round == 32);
  return result;
}

TEST_CASE("the count sees allocations of every kind") {
  const std::int64_t before = allocations();
  const auto one = std::make_unique<int>(1);
  const std::vector<double> several(100, 1.0);
  struct alignas(128) Wide {
    float values[32];
  };
  const auto aligned = std::make_unique<Wide>();
  CHECK(allocations() - before == 3);
}

TEST_CASE("no allocation inside an iteration") {
  VisionTransformerDescription small_vit;
  small_vit.width = 64;
  small_vit.depth = 2;
  small_vit.heads = 2;
  small_vit.patch = 4;
  small_vit.mlp_width = 128;
  small_vit.classes = 10;
  small_vit.image_size = image_side;
  // resnet18 has the 7x7 stem and the max-pool.
  for (const Architecture& architecture : {architecture_named("cifar_resnet20"), architecture_named("wrn_16_4"),
                                           architecture_named("resnet18"), Architecture{"small vit", small_vit}}) {
    for (const Precision precision : device_precisions()) {
      if (!device_for(precision)) continue;
      CAPTURE(architecture.name);
      CAPTURE(to_string(precision));
      const Allocating whole = count_allocations(*device_for(precision), architecture, 3, 3);
      CHECK(whole.iterations == 0);
      CHECK(whole.allocations == 0);
      const Allocating padded = count_allocations(*device_for(precision), architecture, 2, 3);
      CHECK(padded.iterations == 0);
      CHECK(padded.allocations == 0);
    }
  }
}

}  // namespace
}  // namespace blindspot::tests
