// Whole walks against what PyTorch computes in float64 (../shared/goldens/README.md, section 6): the trained CIFAR
// networks with all three presets. The tolerances are that page's suggestions for float32. Uses the engine below the
// public interface, weights/ and golden_walks.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "blindspot/distances.h"
#include "engine/networks/architecture.h"
#include "golden_walks.h"
#include "tests/shared_material.h"
#include "walk_fixture.h"

namespace blindspot::tests {
namespace {

struct Preset {
  std::string name;
  WalkParameters parameters;
  double final_probability, rmse, mean_rmse;  // tolerances
};

std::vector<Preset> presets() {
  WalkParameters strict;
  strict.step_size = 0.1F;
  strict.iterations = 60;
  strict.delta = 0.01F;
  std::vector<Preset> all{{"paper", WalkParameters::paper(), 1e-3, 1e-3, 2e-4},
                          {"authors-default", WalkParameters::authors_default(), 0.02, 0.015, 2e-3},
                          {"strict", strict, 0.02, 0.015, 2e-3}};
  for (Preset& preset : all) preset.parameters.mode = WalkMode::reference;
  return all;
}

double largest_difference(const std::vector<float>& values, const std::vector<double>& golden, std::size_t from) {
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(values[i]) - golden[from + i]);
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

/// Images and decisions of the first iterations, before float32 has had time to drift.
void check_beginning(const GoldenFile& walks, const Preset& preset, const std::vector<WalkResult>& results) {
  const std::string name = preset.name + ".f64.";
  const auto iterations = static_cast<std::size_t>(walks.shape(name + "accepted")[1]);
  const std::vector<double> p0 = walks.flat(name + "p0");
  const std::vector<double> start = walks.flat(name + "start_probability");
  const std::vector<double> accepted = walks.flat(name + "accepted");
  const std::vector<double> candidates = walks.flat(name + "candidate_probability");
  const bool images = walks.has(name + "first");
  const std::vector<double> first = images ? walks.flat(name + "first") : std::vector<double>();
  const std::size_t kept = images ? static_cast<std::size_t>(walks.shape(name + "first")[1]) : 0;
  const double sharp_margin = preset.name == "strict" ? 2e-3 : 0.0;
  double worst = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    const WalkResult& result = results[i];
    CHECK(std::abs(static_cast<double>(result.source_probability) - p0[i]) < 1e-5);
    CHECK(std::abs(static_cast<double>(result.start_probability) - start[i]) < 1e-5);
    for (std::size_t step = 0; step < 10; ++step) {
      CAPTURE(step);
      const double margin =
          std::abs(p0[i] - candidates[i * iterations + step] - static_cast<double>(preset.parameters.delta));
      if (margin > sharp_margin) CHECK((result.decisions[step] != 0) == (accepted[i * iterations + step] != 0));
    }
    for (std::size_t step = 0; step < kept; ++step) {
      const std::vector<float>& image = result.first_images.at(step).values;
      worst = std::max(worst, largest_difference(image, first, (i * kept + step) * image.size()));
    }
  }
  MESSAGE(preset.name << ": images of the first " << kept << " iterations within " << worst);
  CHECK(worst < 1e-4);
}

/// The whole run: ends, counts, distances to the target.
void check_whole(const GoldenFile& walks, const Preset& preset, const GoldenPairs& set,
                 const std::vector<WalkResult>& results) {
  const std::string name = preset.name + ".f64.";
  const auto iterations = static_cast<std::size_t>(preset.parameters.iterations);
  const std::vector<double> accepted = walks.flat(name + "accepted");
  const std::vector<double> accepted_count = walks.flat(name + "accepted_count");
  const std::vector<double> probability = walks.flat(name + "final_probability");
  const std::vector<double> golden_rmse = walks.flat(name + "rmse");
  const std::vector<double> golden_linf = walks.flat(name + "linf");
  const auto records = static_cast<std::size_t>(walks.shape(name + "record_probability")[1]);
  std::size_t pairs_that_differ = 0;
  double worst_probability = 0;
  double worst_rmse = 0;
  double worst_linf = 0;
  double mean_difference = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    const WalkResult& result = results[i];
    bool same = true;
    for (std::size_t step = 0; step < iterations; ++step) {
      same = same && (result.decisions[step] != 0) == (accepted[i * iterations + step] != 0);
    }
    pairs_that_differ += same ? 0 : 1;
    CHECK(std::abs(static_cast<double>(result.accepted) - accepted_count[i]) <= 8);
    CHECK(result.accepted + result.rejected == preset.parameters.iterations);
    CHECK(result.records.size() == records);
    const double away = rmse(result.final_image, set.targets[i]) - golden_rmse[i];
    mean_difference += away / static_cast<double>(results.size());
    worst_rmse = std::max(worst_rmse, std::abs(away));
    worst_linf = std::max(worst_linf, std::abs(linf(result.final_image, set.targets[i]) - golden_linf[i]));
    worst_probability = std::max(worst_probability, std::abs(static_cast<double>(result.probability) - probability[i]));
  }
  MESSAGE(preset.name << ": " << pairs_that_differ << " pairs decide otherwise somewhere; final p within "
                      << worst_probability << ", rmse " << worst_rmse << " (mean " << mean_difference << "), linf "
                      << worst_linf);
  CHECK(pairs_that_differ * 4 <= results.size());  // 3 of 12
  CHECK(worst_probability < preset.final_probability);
  CHECK(worst_rmse < preset.rmse);
  CHECK(std::abs(mean_difference) < preset.mean_rmse);
  CHECK(worst_linf < 0.03);
}

/// `whole_when_emulated` names a preset that goes to its end where the device is emulated and a walk takes minutes; the
/// others only begin there.
void check_walks(const std::string& golden, const std::string& weight_file, std::int64_t batch,
                 const std::string& whole_when_emulated) {
  const auto walks_path = shared_material("goldens/" + golden + ".safetensors");
  const auto cifar_path = shared_material("goldens/cifar10_images.safetensors");
  const auto weights_path = shared_material("data/weights/" + weight_file);
  if (!walks_path || !cifar_path || !weights_path) return;
  const GoldenFile walks(*walks_path);
  const GoldenPairs set(walks, GoldenFile(*cifar_path));
  const auto state = weights::StateDict::from_file(
      std::make_shared<const weights::WeightFile>(weights::WeightFile::open(*weights_path)));
  const auto architecture = recognise(state);
  REQUIRE(architecture);
  const auto device = test_device();
  Preprocessing preprocessing;  // ImageNet's mean and deviation, as both were trained with
  preprocessing.input_size = preprocessing.resize = preprocessing.crop = 32;
  const auto network = build(*architecture, state, preprocessing, batch, *device);
  const auto slots = static_cast<std::int64_t>(set.pairs.size());
  for (Preset& preset : presets()) {
    CAPTURE(preset.name);
    const bool whole = !device_is_emulated() || preset.name == whole_when_emulated;
    if (!whole) preset.parameters.iterations = 10;
    WalkOptions options;
    options.keep_trace = true;
    options.keep_record_images = false;
    options.trace_images = 10;
    const auto results = walk_all(*network, *device, slots, set.pairs, preset.parameters, options);
    check_beginning(walks, preset, results);
    if (whole) check_whole(walks, preset, set, results);
  }
}

TEST_CASE("ResNet-20 on CIFAR-10 walks as in float64, with all presets") {
  check_walks("walks_cifar_resnet20", "cifar10-resnet20-12fca82f.th", 6, "strict");
}

TEST_CASE("the small trained ViT walks as in float64, with all presets") {
  check_walks("walks_cifar_vit", "cifar10-vit.safetensors", 5, "");
}

}  // namespace
}  // namespace blindspot::tests
