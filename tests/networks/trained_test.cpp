// The trained CIFAR-10 networks of ../shared/data/weights, read from their files and run on all 200 pictures: accuracy,
// logits, whole input gradients and layers against PyTorch in float64, and bf16.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/networks/golden.h"
#include "tests/shared_material.h"

namespace blindspot::tests {

namespace {

struct Trained {
  const char* name;
  const char* file;
  const char* architecture;
  std::size_t right;
  GoldenTolerance fp32;
  /// Of the logits in bf16, relative to each picture's largest, root mean square over the pictures: what PyTorch 2.15's
  /// autocast on the CPU gives for the same files and pictures (its worst picture: 0.028, 0.055, 0.011).
  double bf16_logits_rms;
};

constexpr Trained resnet20{"cifar_resnet20", "cifar10-resnet20-12fca82f.th", "cifar_resnet20", 160, relu_fp32, 1.11e-2};
constexpr Trained resnet56{"cifar_resnet56", "cifar10-resnet56-4bfd9763.th", "cifar_resnet56", 172, relu_fp32, 1.29e-2};
constexpr Trained transformer{
    "cifar_vit", "cifar10-vit.safetensors", "vit(width 128, depth 6, heads 4, patch 4)", 139, smooth_fp32, 4.0e-3};

std::vector<std::vector<float>> cifar_images(const std::filesystem::path& goldens) {
  std::vector<std::vector<float>> images;
  for (const std::vector<double>& pixels : GoldenFile(goldens / "cifar10_images.safetensors").rows("images")) {
    std::vector<float> image(pixels.size());
    std::transform(pixels.begin(), pixels.end(), image.begin(), [](double k) { return static_cast<float>(k / 255.0); });
    images.push_back(std::move(image));
  }
  return images;
}

std::size_t count_right(const NetworkRun& result, const std::vector<double>& labels) {
  std::size_t right = 0;
  for (std::size_t n = 0; n < labels.size(); ++n)
    right += argmax(result.logits[n]) == static_cast<std::size_t>(labels[n]);
  return right;
}

/// L2 of a whole gradient, relative.
double gradient_error(const std::vector<double>& ours, const std::vector<double>& expected) {
  double off = 0;
  double norm = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    off += (ours[i] - expected[i]) * (ours[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(off / norm);
}

struct Inputs {
  GoldenFile golden;
  Architecture architecture;
  weights::StateDict state;
  Preprocessing preprocessing;
  std::vector<std::vector<float>> images, ten;
  std::vector<std::int32_t> ten_labels;
};

std::optional<Inputs> inputs_of(const Trained& trained) {
  const auto shared = shared_material("goldens");
  if (!shared) return std::nullopt;
  GoldenFile golden(*shared / (std::string(trained.name) + ".safetensors"));
  auto file = std::make_shared<const weights::WeightFile>(
      weights::WeightFile::open(shared->parent_path() / "data" / "weights" / trained.file));
  weights::StateDict state = weights::StateDict::from_file(std::move(file));
  const auto architecture = recognise(state);
  REQUIRE(architecture.has_value());
  CHECK(architecture->name == trained.architecture);
  Preprocessing preprocessing = default_preprocessing(*architecture);
  CHECK(preprocessing.input_size == 32);
  preprocessing.mean = golden.three("mean");
  preprocessing.deviation = golden.three("std");
  std::vector<std::vector<float>> images = cifar_images(*shared);
  std::vector<std::vector<float>> ten;
  std::vector<std::int32_t> labels;
  for (const double n : golden.flat("ten")) ten.push_back(images.at(static_cast<std::size_t>(n)));
  for (const double label : golden.flat("label")) labels.push_back(static_cast<std::int32_t>(label));
  return Inputs{std::move(golden), *architecture,  std::move(state), preprocessing,
                std::move(images), std::move(ten), std::move(labels)};
}

void check_layers(const Trained& trained, const Inputs& inputs, const NetworkRun& run) {
  for (const std::string& layer : inputs.golden.checkpoints()) {
    if (layer == "conv1" || layer == "norm") continue;  // folded, or run on the class token alone: golden_test.cpp
    const bool block = layer.starts_with("layer");
    check_layer(inputs.golden, "forward", layer, run.layers.at("forward." + layer), trained.fp32.forward);
    check_layer(inputs.golden, "backward", layer, run.layers.at("backward." + layer), trained.fp32.backward,
                block ? Gating::ends_in_relu : Gating::none);
  }
}

void check_trained(const Trained& trained) {
  const auto inputs = inputs_of(trained);
  if (!inputs) return;
  const std::vector<double> labels = inputs->golden.flat("labels");
  const auto device = device_for(Precision::fp32);
  {
    const auto network = build(inputs->architecture, inputs->state, inputs->preprocessing, 40, *device);
    const NetworkRun all = run(*network, *device, inputs->images, {});
    check_logits(inputs->golden, "", all, trained.fp32);
    CHECK(count_right(all, labels) == trained.right);
    const auto expected = inputs->golden.rows("logits");
    for (std::size_t n = 0; n < expected.size(); ++n) CHECK(argmax(all.logits[n]) == argmax(expected[n]));
  }
  const auto network = build(inputs->architecture, inputs->state, inputs->preprocessing, 10, *device);
  const NetworkRun ten = run(*network, *device, inputs->ten, inputs->ten_labels, true);
  check_logits(inputs->golden, "ten.", ten, trained.fp32);
  check_gradients(inputs->golden, ten, trained.fp32);
  const auto gradients = inputs->golden.rows("gradient");
  for (std::size_t n = 0; n < gradients.size(); ++n) {
    CHECK(gradient_error(ten.gradients[n], gradients[n]) <= trained.fp32.gradient_l2);
  }
  check_layers(trained, *inputs, ten);
}

/// Root mean square over the pictures of max|Δ| / max|logit|.
double logits_error(const NetworkRun& result, const std::vector<std::vector<double>>& expected) {
  double squares = 0;
  for (std::size_t n = 0; n < expected.size(); ++n) {
    double off = 0;
    double scale = 0;
    for (std::size_t k = 0; k < expected[n].size(); ++k) {
      off = std::max(off, std::abs(result.logits[n][k] - expected[n][k]));
      scale = std::max(scale, std::abs(expected[n][k]));
    }
    squares += off / scale * off / scale;
  }
  return std::sqrt(squares / static_cast<double>(expected.size()));
}

/// The same pictures in bf16: logits no worse than PyTorch's autocast, and no more than a few predictions change.
void check_trained_bf16(const Trained& trained) {
  const auto device = device_for(Precision::bf16);
  if (!device) return;
  const auto inputs = inputs_of(trained);
  if (!inputs) return;
  const auto network = build(inputs->architecture, inputs->state, inputs->preprocessing, 40, *device);
  const NetworkRun all = run(*network, *device, inputs->images, {});
  const std::size_t right = count_right(all, inputs->golden.flat("labels"));
  const double error = logits_error(all, inputs->golden.rows("logits"));
  MESSAGE(std::string(trained.name) << " in bf16: " << right << " of 200 right, logits off by " << error << " rms");
  CHECK(right + 2 >= trained.right);
  CHECK(right <= trained.right + 2);
  CHECK(error <= trained.bf16_logits_rms);
}

}  // namespace

TEST_CASE("trained ResNet-20 against PyTorch") {
  check_trained(resnet20);
}
TEST_CASE("trained ResNet-56 against PyTorch") {
  check_trained(resnet56);
}
TEST_CASE("trained ViT against PyTorch") {
  check_trained(transformer);
}
TEST_CASE("trained networks in bf16") {
  for (const Trained& trained : {resnet20, resnet56, transformer}) check_trained_bf16(trained);
}

}  // namespace blindspot::tests
