// Whole walks of the public interface on a GPU: the same bits again, played from a recording or call by call, and after
// memory ran out. Uses model.h, and a device of its own to take memory away.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "blindspot/model.h"
#include "tests/devices.h"
#include "tests/networks/network_run.h"

namespace blindspot::tests {
namespace {

constexpr std::array<const char*, 2> networks{"resnet50", "deit_small"};

struct Pairs {
  std::vector<Image> images;
  std::vector<WalkPair> pairs;

  Pairs(std::size_t count, int side) {
    for (std::size_t i = 0; i <= count; ++i) images.push_back({side, side, rule_image(500 + i, side)});
    for (std::size_t i = 0; i < count; ++i) {
      WalkPair& pair = pairs.emplace_back();
      pair.source = &images[i];
      pair.target = &images[i + 1];
      pair.source_class = static_cast<std::int32_t>(i % 10);
      pair.target_class = static_cast<std::int32_t>((i + 1) % 10);
    }
  }
};

Model open(const std::string& network, Precision precision, std::int64_t batch) {
  ModelOptions options;
  options.device = "cuda";
  options.precision = precision;
  options.batch = batch;
  return Model::open("rule:" + network, options);
}

std::vector<WalkResult> walk(Model& model, const Pairs& set, std::int64_t iterations, bool look_at_each = false) {
  WalkParameters parameters;
  parameters.iterations = iterations;
  parameters.record_every = 100;
  WalkOptions options;
  options.keep_record_images = false;
  options.keep_trace = look_at_each;
  options.trace_images = look_at_each ? iterations : 0;
  std::vector<WalkResult> results(set.pairs.size());
  options.finished = [&results](std::size_t pair, WalkResult&& result) { results.at(pair) = std::move(result); };
  CHECK(model.walk(set.pairs, parameters, options));
  return results;
}

bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof(float)) == 0;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && !a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// What a walk leaves behind, records and all.
bool same_bits(const WalkResult& a, const WalkResult& b) {
  bool same = same_bits(a.final_image.values, b.final_image.values) && same_bits(a.probability, b.probability) &&
              same_bits(a.target_probability, b.target_probability) &&
              same_bits(a.start_probability, b.start_probability) && a.accepted == b.accepted &&
              a.rejected == b.rejected && a.records.size() == b.records.size();
  for (std::size_t i = 0; same && i < a.records.size(); ++i) {
    same = same_bits(a.records[i].probability, b.records[i].probability);
  }
  return same;
}

void check_same_bits(const std::vector<WalkResult>& a, const std::vector<WalkResult>& b, const std::string& what) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK_MESSAGE(same_bits(a[i], b[i]), what, ", pair ", i);
}

template <typename Check>
void for_each_network_and_precision(const Check& check) {
  for (const char* network : networks) {
    for (const Precision precision : device_precisions()) {
      const std::string what = std::string(network) + " " + to_string(precision);
      CAPTURE(what);
      check(network, precision, what);
    }
  }
}

TEST_CASE("a thousand iterations have the same bits again") {
  const Pairs set(4, 224);
  for_each_network_and_precision([&](const char* network, Precision precision, const std::string& what) {
    Model model = open(network, precision, 4);
    const std::vector<WalkResult> first = walk(model, set, 1000);
    for (const WalkResult& result : first) CHECK(result.accepted + result.rejected == 1000);
    check_same_bits(walk(model, set, 1000), first, what + " again");
    Model another = open(network, precision, 4);
    check_same_bits(walk(another, set, 1000), first, what + " opened again");
  });
}

TEST_CASE("a recording that is played gives the same bits as calls that are made one by one") {
  const Pairs set(3, 224);
  for_each_network_and_precision([&](const char* network, Precision precision, const std::string& what) {
    Model model = open(network, precision, 3);
    const std::vector<WalkResult> played = walk(model, set, 70);
    check_same_bits(walk(model, set, 70, true), played, what);
  });
}

TEST_CASE("where memory runs out the batch is halved, and nothing else changes") {
  constexpr std::int64_t wanted = 196;
  constexpr std::uint64_t left = std::uint64_t{2} << 30U;  // for weights, libraries, and a batch far below 196
  const Pairs set(40, 224);
  const auto filler = device_for(Precision::fp32);
  REQUIRE(filler->available_bytes() > left);
  filler->commit(static_cast<std::size_t>(filler->available_bytes() - left));
  Model model = open("resnet50", Precision::tf32, wanted);
  model.prepare_walks(static_cast<std::size_t>(wanted));
  MESSAGE("with 2 GiB left: a batch of ", model.batch(), " instead of ", wanted);
  CHECK(model.batch() < wanted);
  CHECK(model.batch() >= 1);
  const std::vector<WalkResult> results = walk(model, set, 20);
  filler->commit(0);
  Model roomy = open("resnet50", Precision::tf32, model.batch());
  check_same_bits(walk(roomy, set, 20), results, "the same batch with room enough");
}

}  // namespace
}  // namespace blindspot::tests
