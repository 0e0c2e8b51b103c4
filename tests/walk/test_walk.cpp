// The walk on toy networks against a plain walk in double: decisions, images, records, the accumulated step, vanishing
// and tiny gradients, both modes. Uses walk.h, the CPU device and the helpers beside.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "plain_walk.h"
#include "walk_fixture.h"

namespace blindspot::tests {
namespace {

constexpr int height = 4;
constexpr int width = 3;
constexpr std::int64_t values = std::int64_t{3} * height * width;

double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;  // NaN is taken
  }
  return largest;
}

/// Walks that refuse some steps: wide steps and a narrow δ.
WalkParameters refusing(WalkMode mode) {
  WalkParameters parameters;
  parameters.step_size = 0.3F;
  parameters.iterations = 60;
  parameters.delta = 0.003F;
  parameters.adversarial_step = 0.01F;
  parameters.record_every = 7;
  parameters.seed = 0x123456789ABCDEF0;
  parameters.mode = mode;
  return parameters;
}

WalkOptions with_trace(const WalkParameters& parameters) {
  WalkOptions options;
  options.keep_trace = true;
  options.trace_images = parameters.iterations;
  return options;
}

TEST_CASE("decisions and images are those of a plain walk in double, in both modes") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  TestPairs set(9, height, width, 4);
  classify_sources(set, model);
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    const WalkParameters parameters = refusing(mode);
    const auto device = test_device();
    ToyNetwork network(model, *device, 3, height, width);
    const auto results = walk_all(network, *device, 6, set.pairs, parameters, with_trace(parameters));
    std::int64_t accepted = 0;
    std::int64_t rejected = 0;
    double drift_without_accumulation = 0;
    for (std::size_t i = 0; i < results.size(); ++i) {
      CAPTURE(i);
      const WalkResult& result = results[i];
      const std::vector<float> noise = start_noise_of(set.pairs[i], parameters.seed);
      const PlainWalk plain = plain_walk(model, set.pairs[i], noise, parameters);
      CHECK(std::abs(static_cast<double>(result.source_probability) - plain.source_probability) < 1e-6);
      CHECK(std::abs(static_cast<double>(result.start_probability) - plain.start_probability) < 1e-6);
      REQUIRE(result.decisions.size() == 60);
      REQUIRE(result.first_images.size() == 60);
      for (std::size_t step = 0; step < 60; ++step) {
        CAPTURE(step);
        REQUIRE(static_cast<bool>(result.decisions[step]) == plain.decisions[step]);
        REQUIRE(std::abs(static_cast<double>(result.candidate_probabilities[step]) -
                         plain.candidate_probabilities[step]) < 2e-5);
        REQUIRE(largest_difference(result.first_images[step].values, plain.images[step]) < 2e-5);
      }
      CHECK(std::abs(static_cast<double>(result.probability) - plain.probability) < 2e-5);
      CHECK(result.accepted == std::count(plain.decisions.begin(), plain.decisions.end(), true));
      CHECK(result.accepted + result.rejected == 60);
      CHECK(same_bits(result.final_image.values, result.first_images.back().values));
      accepted += result.accepted;
      rejected += result.rejected;
      const PlainWalk wrong = plain_walk(model, set.pairs[i], noise, parameters, false);
      drift_without_accumulation =
          std::max(drift_without_accumulation, largest_difference(result.final_image.values, wrong.images.back()));
    }
    // Both kinds of decision were seen, and an engine that forgets to accumulate after a refusal would be.
    CHECK(accepted > 60);
    CHECK(rejected > 30);
    CHECK(drift_without_accumulation > 1e-2);
  }
}

TEST_CASE("without the adversarial step A plays no part") {
  const ToyModel model = ToyModel::random(values, 3, 0.7, 0.5);
  const TestPairs set(4, height, width, 3);
  WalkParameters parameters = refusing(WalkMode::standard);
  parameters.adversarial = false;
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  const auto results = walk_all(network, *device, 2, set.pairs, parameters);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const PlainWalk plain = plain_walk(model, set.pairs[i], start_noise_of(set.pairs[i], parameters.seed), parameters);
    CHECK(largest_difference(results[i].final_image.values, plain.images.back()) < 2e-5);
  }
}

TEST_CASE("where p is 1 - 1e-9 the direction is still right") {
  ToyModel model = ToyModel::random(values, 3, 0.3, 0);
  const TestPairs set(3, height, width, 1);  // every source of class 0
  model.bias[0] = 20.7;
  WalkParameters parameters = refusing(WalkMode::standard);
  parameters.adversarial = false;
  parameters.step_size = 0.05F;
  const auto device = test_device();
  ToyNetwork network(model, *device, 1, height, width);
  const auto results = walk_all(network, *device, 1, set.pairs, parameters);
  double moved_off_the_line = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const PlainWalk plain = plain_walk(model, set.pairs[i], start_noise_of(set.pairs[i], parameters.seed), parameters);
    CHECK(1 - plain.source_probability < 1e-7);
    CHECK(largest_difference(results[i].final_image.values, plain.images.back()) < 1e-5);
    const std::vector<double> target(set.pairs[i].target->values.begin(), set.pairs[i].target->values.end());
    moved_off_the_line = std::max(moved_off_the_line, largest_difference(results[i].final_image.values, target));
  }
  CHECK(moved_off_the_line > 0.1);  // a lost gradient would end at the target
}

TEST_CASE("a gradient of zero: standard walks straight, reference turns to NaN and stays there") {
  const ToyModel model = ToyModel::constant(values, 4);
  const TestPairs set(2, height, width, 4);
  WalkParameters parameters;
  parameters.step_size = 0.1F;
  parameters.iterations = 100;
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);

  const auto standard = walk_all(network, *device, 2, set.pairs, parameters);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(standard[i].accepted == 100);
    const std::vector<double> target(set.pairs[i].target->values.begin(), set.pairs[i].target->values.end());
    CHECK(largest_difference(standard[i].final_image.values, target) < 1e-4);
    CHECK_FALSE(standard[i].outside);
  }

  parameters.mode = WalkMode::reference;
  const auto reference = walk_all(network, *device, 2, set.pairs, parameters);
  for (const WalkResult& result : reference) {
    CHECK(result.accepted == 0);
    CHECK(result.rejected == 100);
    CHECK(std::all_of(result.final_image.values.begin(), result.final_image.values.end(),
                      [](float value) { return std::isnan(value); }));
    CHECK(std::isnan(result.probability));
    CHECK(result.outside);
    CHECK(result.records.front().probability == 0.25F);
    CHECK(std::isnan(result.records.back().probability));
  }
}

TEST_CASE("records stand before the updates; standard adds the final state") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const TestPairs set(3, height, width, 4);
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  for (const std::int64_t iterations : {0, 1, 7, 20, 21}) {
    for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
      CAPTURE(iterations);
      WalkParameters parameters = refusing(mode);
      parameters.iterations = iterations;
      const auto results = walk_all(network, *device, 2, set.pairs, parameters, with_trace(parameters));
      for (const WalkResult& result : results) {
        std::vector<std::int64_t> times;
        for (std::int64_t i = 0; i < iterations; i += 7) times.push_back(i);
        if (mode == WalkMode::standard) times.push_back(iterations);
        REQUIRE(result.records.size() == times.size());
        for (std::size_t i = 0; i < times.size(); ++i) {
          const WalkRecord& record = result.records[i];
          CHECK(record.iteration == times[i]);
          if (times[i] > 0) {
            CHECK(same_bits(record.image.values, result.first_images[static_cast<std::size_t>(times[i] - 1)].values));
          } else {
            CHECK(record.probability == result.start_probability);
          }
        }
        if (mode == WalkMode::standard) {
          CHECK(result.records.back().probability == result.probability);
          CHECK(same_bits(result.records.back().image.values, result.final_image.values));
        }
        CHECK(result.accepted + result.rejected == iterations);
      }
    }
  }
}

TEST_CASE("the noised start is clamp(s + 4/255 (U - 1/2)), from the generator or from the pair") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0);
  TestPairs set(1, height, width, 4);
  WalkParameters parameters = refusing(WalkMode::standard);
  parameters.iterations = 0;
  const auto device = test_device();
  ToyNetwork network(model, *device, 1, height, width);
  const auto drawn = walk_all(network, *device, 1, set.pairs, parameters);
  const std::vector<float> noise = start_noise_of(set.pairs[0], parameters.seed);
  std::vector<float> expected(noise.size());
  for (std::size_t i = 0; i < noise.size(); ++i) {
    expected[i] = std::clamp(set.images[0].values[i] + static_cast<float>(4.0 / 255) * (noise[i] - 0.5F), 0.0F, 1.0F);
  }
  CHECK(same_bits(drawn[0].final_image.values, expected));

  set.pairs[0].noise = &noise;
  parameters.seed = 7;  // not asked now
  CHECK(same_bits(walk_all(network, *device, 1, set.pairs, parameters)[0], drawn[0]));

  set.pairs[0].noise = nullptr;
  set.pairs[0].occurrence = 1;
  parameters.seed = 0x123456789ABCDEF0;
  CHECK_FALSE(same_bits(walk_all(network, *device, 1, set.pairs, parameters)[0], drawn[0]));
}

TEST_CASE("with every step accepted nothing is refused") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const TestPairs set(2, height, width, 4);
  WalkOptions options;
  options.accept_every_step = true;
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  for (const WalkResult& result :
       walk_all(network, *device, 2, set.pairs, refusing(WalkMode::standard), std::move(options))) {
    CHECK(result.accepted == 60);
    CHECK(result.rejected == 0);
  }
}

TEST_CASE("one forward pass an iteration, and a backward pass only where a gradient is needed") {
  const ToyModel model = ToyModel::random(values, 4, 0.1, 0.01);
  const TestPairs set(2, height, width, 4);
  WalkParameters parameters = refusing(WalkMode::standard);
  parameters.delta = 1;
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  levelset::prepare(network, *device, 2);
  network.forwards = network.gradients = network.forgotten = 0;
  const bool together = device->rounds_together() > 1;
  levelset::traverse(network, *device, 2, set.pairs, parameters, {}, {});
  CHECK(network.forwards == 62);  // the source, the start, 60 candidates
  // The start and all candidates but the last; where several rounds go together, the last too.
  CHECK(network.gradients == (together ? 61 : 60));
  CHECK(network.forgotten == (together ? 1 : 2));

  // δ 0 on a constant network refuses every step: the gradient of the start serves them all.
  const ToyModel constant = ToyModel::constant(values, 4);
  ToyNetwork stubborn(constant, *device, 2, height, width);
  parameters.delta = 0;
  levelset::traverse(stubborn, *device, 2, set.pairs, parameters, {}, {});
  CHECK(stubborn.forwards == 62);
  CHECK(stubborn.gradients == (together ? 61 : 1));
}

}  // namespace
}  // namespace blindspot::tests
