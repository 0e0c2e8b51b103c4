// Slots: a pair's result in any slot, company and order; reverification in fp32, cancellation, progress, refused input.
// Uses walk.h, the CPU device and the helpers beside.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "blindspot/error.h"
#include "engine/levelset/slot_arrays.h"
#include "toy_networks.h"
#include "walk_fixture.h"

namespace blindspot::tests {
namespace {

constexpr int height = 5;
constexpr int width = 3;
constexpr std::int64_t values = std::int64_t{3} * height * width;

WalkParameters parameters_with(WalkMode mode) {
  WalkParameters parameters;
  parameters.step_size = 0.3F;
  parameters.iterations = 25;
  parameters.delta = 0.003F;
  parameters.adversarial_step = 0.01F;
  parameters.record_every = 10;
  parameters.mode = mode;
  return parameters;
}

WalkOptions traced() {
  WalkOptions options;
  options.keep_trace = true;
  options.trace_images = 3;
  return options;
}

TEST_CASE("a pair's result has the same bits alone, in company, in any slot, and again") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  TestPairs set(7, height, width, 4);
  classify_sources(set, model);
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    const WalkParameters parameters = parameters_with(mode);
    const auto device = test_device();
    std::vector<WalkResult> alone;
    for (const WalkPair& pair : set.pairs) {
      ToyNetwork network(model, *device, 1, height, width);
      alone.push_back(std::move(walk_all(network, *device, 1, {pair}, parameters, traced())[0]));
    }
    CHECK(std::any_of(alone.begin(), alone.end(), [](const WalkResult& result) { return result.rejected > 0; }));
    for (const std::int64_t batch : {1, 2, 5, 7}) {
      for (const std::int64_t slots : {1, 3, 7, 10}) {
        if (device_is_emulated() && (batch == 1 || batch == 7 || slots == 1 || slots == 7)) continue;
        CAPTURE(batch);
        CAPTURE(slots);
        ToyNetwork network(model, *device, batch, height, width);
        std::vector<std::size_t> order(7);
        std::iota(order.begin(), order.end(), 0U);
        for (int turn = 0; turn < 2; ++turn) {
          std::vector<WalkPair> permuted;
          permuted.reserve(order.size());
          for (const std::size_t number : order) permuted.push_back(set.pairs[number]);
          const auto results = walk_all(network, *device, slots, permuted, parameters, traced());
          for (std::size_t i = 0; i < 7; ++i) CHECK(same_bits(results[i], alone[order[i]]));
          std::rotate(order.begin(), order.begin() + 3, order.end());
          std::swap(order[1], order[5]);
        }
      }
    }
  }
}

TEST_CASE("slots of one slice may be at different stages: one stands still while its neighbour walks") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const auto device = test_device();
  const levelset::RoundRules rules{{0.1F, true, 0.01F, true, true}, 1};
  const std::vector<Image> images{test_image(1, height, width), test_image(2, height, width),
                                  test_image(3, height, width)};
  const std::vector<std::int32_t> classes{0, 0};
  constexpr float take_all = -std::numeric_limits<float>::infinity();
  const auto image_after_a_step = [&](const std::vector<std::uint8_t>& held, std::int64_t slot) {
    ToyNetwork network(model, *device, 2, height, width);
    levelset::SlotArrays arrays(network, *device, 2, rules);
    arrays.place(0, images[0].values, images[2].values);
    arrays.place(1, images[1].values, images[2].values);
    for (const std::vector<std::uint8_t>& flags : {std::vector<std::uint8_t>{1, 1}, held}) {
      arrays.set_inputs(std::vector<float>{take_all, take_all}, classes, classes, flags);
      arrays.judge(0);
      arrays.take(0, true);
    }
    std::vector<float> image(static_cast<std::size_t>(values));
    arrays.read_image(slot, image);
    return image;
  };
  CHECK(same_bits(image_after_a_step({1, 0}, 0), images[0].values));
  CHECK(same_bits(image_after_a_step({0, 1}, 1), images[1].values));
  const std::vector<float> walked = image_after_a_step({0, 0}, 1);
  CHECK_FALSE(same_bits(walked, images[1].values));
  CHECK(same_bits(image_after_a_step({1, 0}, 1), walked));
}

TEST_CASE("a neighbour that turns to NaN leaves the others alone") {
  // The second pair brings NaN as its noise.
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  TestPairs set(3, height, width, 4);
  const WalkParameters parameters = parameters_with(WalkMode::reference);
  const auto device = test_device();
  ToyNetwork network(model, *device, 3, height, width);
  const auto sound = walk_all(network, *device, 3, set.pairs, parameters, traced());
  const std::vector<float> broken(static_cast<std::size_t>(values), std::numeric_limits<float>::quiet_NaN());
  set.pairs[1].noise = &broken;
  const auto results = walk_all(network, *device, 3, set.pairs, parameters, traced());
  CHECK(results[1].outside);
  CHECK(same_bits(results[0], sound[0]));
  CHECK(same_bits(results[2], sound[2]));
}

TEST_CASE("records, start and end are recomputed by the fp32 network when there is one; decisions are not") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const TestPairs set(3, height, width, 4);
  const WalkParameters parameters = parameters_with(WalkMode::standard);
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  const auto own = walk_all(network, *device, 2, set.pairs, parameters, traced());

  // Answers with the first value of the image, and marks sources by their lack of noise.
  const levelset::Fp32Probabilities reverify = [&](auto images, auto classes) {
    std::vector<std::array<float, 2>> answers;
    for (std::size_t i = 0; i < images.size(); ++i) {
      const bool source =
          std::any_of(set.images.begin(), set.images.end(), [&](auto& one) { return &one == images[i]; });
      answers.push_back({source ? 5.0F : images[i]->values[0], static_cast<float>(classes[i][1]) + 10});
    }
    return answers;
  };
  WalkOptions options = traced();
  options.keep_record_images = false;
  const auto results = walk_all(network, *device, 2, set.pairs, parameters, options, reverify);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(results[i].source_probability == 5.0F);
    CHECK(results[i].start_probability == own[i].records[0].image.values[0]);
    REQUIRE(results[i].records.size() == own[i].records.size());
    for (std::size_t r = 0; r < results[i].records.size(); ++r) {
      CHECK(results[i].records[r].probability == own[i].records[r].image.values[0]);
      CHECK(results[i].records[r].target_probability == static_cast<float>(set.pairs[i].target_class) + 10);
      CHECK(results[i].records[r].image.values.empty());
    }
    CHECK(results[i].probability == results[i].final_image.values[0]);
    CHECK(results[i].outside);
    CHECK_FALSE(own[i].outside);
    CHECK(results[i].decisions == own[i].decisions);
    CHECK(same_bits(results[i].final_image.values, own[i].final_image.values));
    CHECK(same_bits(results[i].candidate_probabilities, own[i].candidate_probabilities));
  }
}

TEST_CASE("cancelling keeps what is done and stops between slices") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const TestPairs set(5, height, width, 4);
  const WalkParameters parameters = parameters_with(WalkMode::standard);
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  WalkOptions options;
  std::vector<std::size_t> finished;
  options.finished = [&](std::size_t pair, WalkResult&&) { finished.push_back(pair); };
  // 27 rounds a pair, asked about one by one or, where the device takes several at once, five times: in the second two.
  const int last_question = device->rounds_together() == 1 ? 40 : 8;
  int asked = 0;
  options.cancelled = [&] { return ++asked == last_question; };
  CHECK_FALSE(levelset::traverse(network, *device, 2, set.pairs, parameters, options, {}));
  CHECK(asked == last_question);
  CHECK(finished == std::vector<std::size_t>{0, 1});
  options.cancelled = {};
  CHECK(levelset::traverse(network, *device, 2, set.pairs, parameters, options, {}));
  CHECK(finished == std::vector<std::size_t>{0, 1, 0, 1, 2, 3, 4});
  CHECK(levelset::traverse(network, *device, 2, {}, parameters, options, {}));
  // Two slices a round: the first of the last one has run, its second has not.
  asked = 0;
  int rounds = 0;
  options.cancelled = [&] { return ++asked == last_question; };
  options.progress = [&](const WalkProgress&) { ++rounds; };
  CHECK_FALSE(levelset::traverse(network, *device, 4, set.pairs, parameters, options, {}));
  CHECK(rounds == last_question / 2 - 1);
}

TEST_CASE("progress counts iterations of all pairs and ends at all of them") {
  const ToyModel model = ToyModel::random(values, 4, 0.7, 0.5);
  const TestPairs set(5, height, width, 4);
  const auto device = test_device();
  ToyNetwork network(model, *device, 2, height, width);
  WalkOptions options;
  WalkProgress last;
  bool monotone = true;
  options.progress = [&](const WalkProgress& progress) {
    monotone = monotone && progress.iterations_done >= last.iterations_done && progress.pairs_done >= last.pairs_done;
    last = progress;
  };
  levelset::traverse(network, *device, 2, set.pairs, parameters_with(WalkMode::standard), options, {});
  CHECK(monotone);
  CHECK(last.pairs == 5);
  CHECK(last.pairs_done == 5);
  CHECK(last.iterations == 125);
  CHECK(last.iterations_done == 125);
}

TEST_CASE("pairs that do not fit the network are refused") {
  const ToyModel model = ToyModel::constant(values, 4);
  const auto device = test_device();
  ToyNetwork network(model, *device, 1, height, width);
  const auto refusal = [&](const auto& change) {
    TestPairs set(2, height, width, 4);
    change(set.pairs[1]);
    try {
      levelset::traverse(network, *device, 1, set.pairs, {}, {}, {});
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return std::string(error.what());
    }
    return std::string();
  };
  const Image small = test_image(1, 2, 2);
  const std::vector<float> short_noise(5);
  CHECK(refusal([&](WalkPair& pair) { pair.target = &small; }) ==
        "pair 1: the target image must have the network's input size");
  CHECK(refusal([&](WalkPair& pair) { pair.source = nullptr; }).starts_with("pair 1: the source image"));
  CHECK(refusal([&](WalkPair& pair) { pair.noise = &short_noise; }).starts_with("pair 1: --noise"));
  CHECK(refusal([&](WalkPair& pair) { pair.source_class = 4; }).starts_with("pair 1: the network has no such source"));
  CHECK(refusal([&](WalkPair& pair) { pair.target_class = -1; }).starts_with("pair 1: the network has no such target"));
  CHECK_THROWS_AS(levelset::prepare(network, *device, 0), Error);
}

}  // namespace
}  // namespace blindspot::tests
