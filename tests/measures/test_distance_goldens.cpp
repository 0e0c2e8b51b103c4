// Distances against what PyTorch, torchmetrics and lpips compute in float64 (../shared/goldens/README.md, section 8,
// and
// ../shared/fixtures/distances). Uses measures_fixture.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/levelset/image_distances.h"
#include "measures_fixture.h"
#include "weights/rule.h"

namespace blindspot::tests {
namespace {

/// AlexNet's features from the rule, and the heads of ../shared/data/lpips.
std::optional<weights::StateDict> lpips_state() {
  const auto heads_path = shared_material("data/lpips/alex-v0.1.pth");
  if (!heads_path) return std::nullopt;
  const auto heads = std::make_shared<const weights::StateDict>(state_of_file(*heads_path));
  return weights::StateDict::from_rule(
      "rule:alexnet and heads", levelset::declare_lpips(), [heads](const weights::TensorDeclaration& tensor) {
        if (tensor.name.starts_with("lin")) return heads->read(tensor.name);
        return weights::rule_tensor(tensor, 1, {weights::RuleFamily::convolutional, "", 1});
      });
}

double relative(double value, double expected) {
  return std::abs(value - expected) / std::max(std::abs(expected), 1e-12);
}

struct Expected {
  double rmse = 0, linf = 0, ssim_default = 0, ssim_reference = 0, lpips = 0;
  std::vector<double> layers;
};

void check_pairs(const std::vector<ImagePair>& pairs, const std::vector<Expected>& expected,
                 const weights::StateDict& state) {
  double worst_ssim = 0;
  double worst_lpips = 0;
  double worst_layer = 0;
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    const auto device = test_device();
    levelset::ImageDistances distances(*device, state, mode);
    const std::vector<Distances> measured = distances.measure(pairs, {});
    REQUIRE(measured.size() == expected.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      CAPTURE(i);
      const Expected& want = expected[i];
      CHECK(relative(measured[i].rmse, want.rmse) < 1e-6);
      CHECK(relative(measured[i].linf, want.linf) < 1e-6);
      REQUIRE(measured[i].ssim);
      REQUIRE(measured[i].lpips);
      REQUIRE(measured[i].lpips_layers.size() == want.layers.size());
      const double ssim = mode == WalkMode::reference ? want.ssim_reference : want.ssim_default;
      worst_ssim = std::max(worst_ssim, std::abs(*measured[i].ssim - ssim));
      worst_lpips = std::max(worst_lpips, relative(*measured[i].lpips, want.lpips));
      for (std::size_t k = 0; k < want.layers.size(); ++k) {
        worst_layer = std::max(worst_layer, relative(measured[i].lpips_layers[k], want.layers[k]));
      }
    }
  }
  MESSAGE(pairs.size(), " pairs: SSIM within ", worst_ssim, ", LPIPS within ", worst_lpips,
          " of itself, its terms within ", worst_layer);
  CHECK(worst_ssim < 1e-12);  // both are sums of doubles
  CHECK(worst_lpips < 2e-5);  // features in float32; images that are nearly equal have small terms, which feel it most
  CHECK(worst_layer < 1e-4);
}

std::vector<Expected> expected_of(const GoldenFile& golden, const std::string& prefix) {
  const auto rmse = golden.flat("rmse");
  const auto linf = golden.flat("linf");
  const auto ssim_default = golden.flat("ssim_default");
  const auto ssim_reference = golden.flat("ssim_reference");
  const auto lpips = golden.flat(prefix + "lpips");
  const auto layers = golden.rows(prefix + "layers");
  std::vector<Expected> expected;
  for (std::size_t i = 0; i < rmse.size(); ++i) {
    expected.push_back({rmse[i], linf[i], ssim_default[i], ssim_reference[i], lpips[i], layers[i]});
  }
  return expected;
}

void check_walks(const std::string& network) {
  const auto golden_path = shared_material("goldens/distances_" + network + ".safetensors");
  const auto walks_path = shared_material("goldens/walks_" + network + ".safetensors");
  const auto cifar_path = shared_material("goldens/cifar10_images.safetensors");
  const auto state = lpips_state();
  if (!golden_path || !walks_path || !cifar_path || !state) return;
  const GoldenFile golden(*golden_path);
  const GoldenFile walks(*walks_path);
  const GoldenPairs set(walks, GoldenFile(*cifar_path));
  const std::vector<float> finals = walks.floats("paper.f64.final");
  std::vector<Image> images;
  for (std::size_t i = 0; i < set.targets.size(); ++i) images.push_back(image_row(finals, i));
  std::vector<ImagePair> pairs;
  for (std::size_t i = 0; i < images.size(); ++i) pairs.push_back({&images[i], &set.targets[i]});
  std::vector<Expected> expected = expected_of(golden, "lpips.");
  if (device_is_emulated()) {
    pairs.resize(1);
    expected.resize(1);
  }
  check_pairs(pairs, expected, *state);
}

TEST_CASE("distances of walks on ResNet-20 are those of float64") {
  check_walks("cifar_resnet20");
}
TEST_CASE("distances of walks on the small ViT are those of float64") {
  check_walks("cifar_vit");
}

TEST_CASE("distances at 224x224 are those of float64") {
  if (device_is_emulated()) return;  // minutes of convolutions, on shapes that 32x32 shows as well
  constexpr std::size_t values = std::size_t{3} * 224 * 224;
  const auto golden_path = shared_material("goldens/alexnet_lpips.safetensors");
  const auto photo_path = shared_material("goldens/photo.png");
  const auto state = lpips_state();
  if (!golden_path || !photo_path || !state) return;
  const GoldenFile golden(*golden_path);
  const Image photo = to_image(read_picture(*photo_path));
  const auto rule = [](std::uint64_t seed) {
    return Image{224, 224, weights::rule_values("image", seed, static_cast<std::int64_t>(values), 0.5F, 0.5F)};
  };
  const Image rule_100 = rule(100);
  const Image rule_101 = rule(101);
  Image third{224, 224, {}};
  for (std::size_t i = 0; i < values; ++i) {
    third.values.push_back(0.8F * photo.values[i] + 0.2F * rule_101.values[i]);
  }
  check_pairs({{&rule_100, &rule_101}, {&photo, &rule_100}, {&photo, &third}}, expected_of(golden, ""), *state);
}

TEST_CASE("distances of the fixtures, in both modes and both orders") {
  if (device_is_emulated()) return;
  const auto folder = shared_material("fixtures/distances");
  const auto state = lpips_state();
  if (!folder || !state) return;
  const nlohmann::json index = nlohmann::json::parse(std::ifstream(*folder / "index.json"));
  for (const auto& pair : index.at("pairs")) {
    CAPTURE(pair.at("note").get<std::string>());
    std::vector<Image> images;
    for (const char* side : {"a", "b"}) {
      const GoldenFile file(*folder / pair.at(side).get<std::string>());
      const auto shape = file.shape("image");
      images.push_back({static_cast<int>(shape[1]), static_cast<int>(shape[2]), file.floats("image")});
    }
    CHECK(relative(l2(images[0], images[1]), pair.at("l2").get<double>()) < 1e-6);
    Expected expected;
    expected.rmse = pair.at("rmse").get<double>();
    expected.linf = pair.at("linf").get<double>();
    expected.ssim_default = pair.at("ssim_default").get<double>();
    expected.ssim_reference = pair.at("ssim_reference").get<double>();
    expected.lpips = pair.at("lpips").get<double>();
    expected.layers = pair.at("lpips_layers").get<std::vector<double>>();
    check_pairs({{&images[0], &images[1]}}, {expected}, *state);
  }
}

}  // namespace
}  // namespace blindspot::tests
