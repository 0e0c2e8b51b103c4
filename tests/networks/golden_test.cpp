// Networks made from the weight rule, at full size, against what PyTorch computes in float64 (../shared/goldens):
// logits, cross entropy, input gradient, every layer in both directions, in fp32 and bf16.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "blindspot/image.h"
#include "engine/layers/stem_convolution.h"
#include "engine/networks/parameters.h"
#include "tests/networks/golden.h"
#include "tests/shared_material.h"

namespace blindspot::tests {

namespace {

/// A golden network, its weights and its three images.
struct Subject {
  GoldenFile golden;
  Architecture architecture;
  weights::StateDict state;
  Preprocessing preprocessing;
  std::vector<std::vector<float>> images;
  std::vector<std::int32_t> labels;
};

std::optional<Subject> subject(const std::string& name, std::int64_t side) {
  const auto folder = shared_material("goldens");
  if (!folder) return std::nullopt;
  GoldenFile golden(*folder / (name + ".safetensors"));
  Architecture architecture = architecture_named(name);
  weights::StateDict state = rule_state(architecture, 1);
  Preprocessing preprocessing = default_preprocessing(architecture);
  CHECK(preprocessing.input_size == side);
  CHECK(preprocessing.mean == golden.three("mean"));
  CHECK(preprocessing.deviation == golden.three("std"));
  std::vector<std::vector<float>> images{rule_image(100, side), rule_image(101, side)};
  if (side == 224) {
    images.push_back(to_image(read_picture(*folder / "photo.png")).values);
  } else {
    const std::vector<double> pixels = GoldenFile(*folder / "cifar10_images.safetensors").rows("images").front();
    std::vector<float> image(pixels.size());
    std::transform(pixels.begin(), pixels.end(), image.begin(), [](double k) { return static_cast<float>(k / 255.0); });
    images.push_back(std::move(image));
  }
  std::vector<std::int32_t> labels;
  for (const double label : golden.flat("label")) labels.push_back(static_cast<std::int32_t>(label));
  return Subject{std::move(golden), std::move(architecture), std::move(state),
                 preprocessing,     std::move(images),       std::move(labels)};
}

NetworkRun run_subject(const Subject& subject, Device& device, bool observe_layers) {
  const auto batch = static_cast<std::int64_t>(subject.images.size());
  const auto network = build(subject.architecture, subject.state, subject.preprocessing, batch, device);
  CHECK(network->classes() == static_cast<std::int64_t>(subject.golden.rows("logits").front().size()));
  return run(*network, device, subject.images, subject.labels, observe_layers);
}

/// conv1 of a ResNet is seen before its norm in the golden, and folded with it in the engine: it is run by itself here,
/// and its gradient is that before the ReLU times the norm's scale.
void check_first_convolution(const Subject& subject, Device& device, const LayerValues& after_norm_gradient) {
  const std::int64_t side = subject.preprocessing.input_size;
  const auto batch = static_cast<std::int64_t>(subject.images.size());
  const NetworkInput input{batch, side, side, subject.preprocessing.mean, subject.preprocessing.deviation};
  StemConvolution stem(device, input, {64, 7, 2, 3, false}, plain_convolution(subject.state, "conv1"));
  Array images = device.array(Type::float32, {batch, 3, side, side});
  std::vector<float> joined;
  for (const auto& image : subject.images) joined.insert(joined.end(), image.begin(), image.end());
  device.upload(joined, images);
  check_layer(subject.golden, "forward", "conv1", layer_values(device, stem.forward(images_from(device, images))),
              relu_fp32.forward);

  const weights::ScaleShift norm = weights::batch_norm_as_affine(subject.state, "bn1");
  LayerValues gradient = after_norm_gradient;
  for (std::vector<double>& values : gradient) {
    const std::size_t places = values.size() / norm.scale.size();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= static_cast<double>(norm.scale[i / places]);
  }
  check_layer(subject.golden, "backward", "conv1", gradient, relu_fp32.backward);
}

void check_resnet(const std::string& name) {
  const auto subject_or_none = subject(name, 224);
  if (!subject_or_none) return;
  const Subject& resnet = *subject_or_none;
  CHECK(resnet.state.sha256() == resnet.golden.metadata("weights_sha256"));
  const auto device = device_for(Precision::fp32);
  const NetworkRun result = run_subject(resnet, *device, true);
  check_logits(resnet.golden, "", result, relu_fp32);
  check_gradients(resnet.golden, result, relu_fp32);
  for (const std::string& layer : resnet.golden.checkpoints()) {
    if (layer == "conv1") {
      check_first_convolution(resnet, *device, result.layers.at("backward.bn1"));
      continue;
    }
    const bool block = layer.starts_with("layer");
    check_layer(resnet.golden, "forward", layer, result.layers.at("forward." + layer), relu_fp32.forward);
    check_layer(resnet.golden, "backward", layer, result.layers.at("backward." + layer), relu_fp32.backward,
                block ? Gating::ends_in_relu : Gating::none);
  }
}

/// The engine normalises the class token alone; the golden has all tokens, normalised here from the last block's
/// output. Their gradient is zero but for the class token's.
void check_last_norm(const Subject& subject, const NetworkRun& result, const std::string& last_block) {
  const std::vector<float> scale = subject.state.read("norm.weight");
  const std::vector<float> shift = subject.state.read("norm.bias");
  const std::size_t width = scale.size();
  LayerValues tokens = result.layers.at("forward." + last_block);
  LayerValues gradient = result.layers.at("backward.norm");
  for (std::size_t n = 0; n < tokens.size(); ++n) {
    for (std::size_t row = 0; row < tokens[n].size(); row += width) {
      double mean = 0;
      double variance = 0;
      for (std::size_t i = row; i < row + width; ++i) mean += tokens[n][i] / static_cast<double>(width);
      for (std::size_t i = row; i < row + width; ++i) {
        variance += (tokens[n][i] - mean) * (tokens[n][i] - mean) / static_cast<double>(width);
      }
      for (std::size_t i = row; i < row + width; ++i) {
        tokens[n][i] = (tokens[n][i] - mean) / std::sqrt(variance + 1e-6) * static_cast<double>(scale[i - row]) +
                       static_cast<double>(shift[i - row]);
      }
    }
    for (std::size_t i = 0; i < width; ++i) {
      CHECK(result.layers.at("forward.norm")[n][i] == doctest::Approx(tokens[n][i]).epsilon(1e-4));
    }
    gradient[n].resize(tokens[n].size());
  }
  check_layer(subject.golden, "forward", "norm", tokens, smooth_fp32.forward);
  check_layer(subject.golden, "backward", "norm", gradient, smooth_fp32.backward);
}

void check_transformer(const std::string& name) {
  const auto subject_or_none = subject(name, 224);
  if (!subject_or_none) return;
  const Subject& transformer = *subject_or_none;
  CHECK(transformer.state.sha256() == transformer.golden.metadata("weights_sha256"));
  const auto device = device_for(Precision::fp32);
  const NetworkRun result = run_subject(transformer, *device, true);
  check_logits(transformer.golden, "", result, smooth_fp32);
  check_gradients(transformer.golden, result, smooth_fp32);
  for (const std::string& layer : transformer.golden.checkpoints()) {
    if (layer == "norm") {
      check_last_norm(transformer, result, "blocks.11");
      continue;
    }
    // The 1×1 that ends a convolution stem is the patch embedding, whose tokens lie as [T, D] here and as [D, h, w]
    // there.
    if (layer == "patch_embed.proj.stem.12") {
      check_layer(transformer.golden, "forward", layer, channels_first(result.layers.at("forward.patch_embed"), 196),
                  smooth_fp32.forward);
      check_layer(transformer.golden, "backward", layer, channels_first(result.layers.at("backward.patch_embed"), 196),
                  smooth_fp32.backward);
      continue;
    }
    check_layer(transformer.golden, "forward", layer, result.layers.at("forward." + layer), smooth_fp32.forward);
    check_layer(transformer.golden, "backward", layer, result.layers.at("backward." + layer), smooth_fp32.backward);
  }
}

void check_lower(Precision precision, const std::string& name, std::int64_t side, const GoldenTolerance& tolerance) {
  const std::vector<Precision> precisions = device_precisions();
  if (std::find(precisions.begin(), precisions.end(), precision) == precisions.end()) return;
  const auto device = device_for(precision);
  if (!device) return;
  CAPTURE(name);
  auto subject_or_none = subject(name, side);
  if (!subject_or_none) return;
  if (device_is_emulated()) {
    subject_or_none->images.resize(1);
    subject_or_none->labels.resize(1);
  }
  const NetworkRun result = run_subject(*subject_or_none, *device, false);
  check_logits(subject_or_none->golden, "", result, tolerance);
  check_gradients(subject_or_none->golden, result, tolerance);
}

}  // namespace

TEST_CASE("resnet18 fp32 against PyTorch") {
  check_resnet("resnet18");
}
TEST_CASE("resnet50 fp32 against PyTorch") {
  check_resnet("resnet50");
}
TEST_CASE("vit_b_16 fp32 against PyTorch") {
  check_transformer("vit_b_16");
}
TEST_CASE("deit_small fp32 against PyTorch") {
  check_transformer("deit_small");
}
TEST_CASE("vit_s_convstem fp32 against PyTorch") {
  check_transformer("vit_s_convstem");
}

TEST_CASE("wrn_28_10 fp32 against PyTorch") {
  const auto subject_or_none = subject("wrn_28_10", 32);
  if (!subject_or_none) return;
  const Subject& wide = *subject_or_none;
  CHECK(wide.state.sha256() == wide.golden.metadata("weights_sha256"));
  const auto device = device_for(Precision::fp32);
  const NetworkRun result = run_subject(wide, *device, true);
  check_logits(wide.golden, "", result, relu_fp32);
  check_gradients(wide.golden, result, relu_fp32);
  for (const std::string& layer : wide.golden.checkpoints()) {
    const bool last_norm = layer == "bn1";
    const std::string seen = last_norm ? "relu" : layer;
    const Gating gating = last_norm ? Gating::seen_behind_relu : Gating::none;
    check_layer(wide.golden, "forward", layer, result.layers.at("forward." + seen), relu_fp32.forward, gating);
    check_layer(wide.golden, "backward", layer, result.layers.at("backward." + seen), relu_fp32.backward, gating);
  }
}

void check_lower(Precision precision, const GoldenTolerance& relu, const GoldenTolerance& smooth) {
  check_lower(precision, "resnet18", 224, relu);
  check_lower(precision, "resnet50", 224, relu);
  check_lower(precision, "wrn_28_10", 32, relu);
  check_lower(precision, "vit_b_16", 224, smooth);
  check_lower(precision, "deit_small", 224, smooth);
  check_lower(precision, "vit_s_convstem", 224, smooth);
}

TEST_CASE("bf16 is no worse than PyTorch's autocast") {
  check_lower(Precision::bf16, relu_bf16, smooth_bf16);
}
TEST_CASE("fp16 against PyTorch") {
  check_lower(Precision::fp16, relu_fp16, smooth_fp16);
}
TEST_CASE("tf32 against PyTorch") {
  check_lower(Precision::tf32, relu_tf32, smooth_tf32);
}

}  // namespace blindspot::tests
