// Every family at small and odd sizes, batches 1 and 7: logits against a plain double-precision network, input
// gradients against its central differences along several directions. Needs no reference files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "tests/networks/network_run.h"
#include "tests/networks/plain_network.h"

namespace blindspot::tests {

namespace {

struct SmallNetwork {
  std::string title;
  decltype(Architecture::description) description;
  int input_size;
  std::int64_t batch;
  double gradient_tolerance;  ///< ReLU networks: a ReLU within rounding of 0 takes a piece of the gradient with it
};

VisionTransformerDescription small_transformer(std::int64_t width, std::int64_t heads, std::int64_t patch,
                                               std::int64_t image_size) {
  VisionTransformerDescription description;
  description.width = width;
  description.depth = 2;
  description.heads = heads;
  description.patch = patch;
  description.mlp_width = 3 * width;
  description.classes = 11;
  description.image_size = image_size;
  return description;
}

VisionTransformerDescription small_stem_transformer() {
  VisionTransformerDescription description = small_transformer(40, 2, 16, 48);
  description.convolution_stem = true;
  description.layer_norm_epsilon = 1e-3F;
  return description;
}

std::vector<SmallNetwork> small_networks() {
  return {
      {"basic blocks", ResNetDescription{false, {1, 2, 1, 1}, 64, 13}, 33, 1, 2e-3},
      {"bottlenecks", ResNetDescription{true, {2, 1, 1, 1}, 64, 5}, 37, 1, 2e-3},
      {"wide bottlenecks", ResNetDescription{true, {1, 1, 1, 1}, 128, 10}, 32, 2, 2e-3},
      {"CIFAR ResNet-8", CifarResNetDescription{8, 10}, 32, 7, 2e-3},
      {"CIFAR ResNet-14, odd", CifarResNetDescription{14, 3}, 19, 1, 2e-3},
      {"CIFAR ResNet-8, one pixel", CifarResNetDescription{8, 10}, 1, 7, 2e-3},
      {"WRN-10-1", WideResNetDescription{10, 1, 10}, 13, 7, 2e-3},
      {"WRN-16-2", WideResNetDescription{16, 2, 6}, 32, 1, 2e-3},
      {"transformer", small_transformer(24, 2, 4, 20), 20, 7, 1e-4},
      {"transformer, odd width", small_transformer(35, 5, 7, 35), 35, 1, 1e-4},
      {"transformer, one patch", small_transformer(64, 1, 16, 16), 16, 2, 1e-4},
      {"transformer with a convolution stem", small_stem_transformer(), 48, 1, 1e-4},
      {"AlexNet", AlexNetDescription{12}, 67, 1, 2e-3},
  };
}

/// Gains that keep small networks lively: the table's are tuned for the full ones.
weights::StateDict lively_state(const Architecture& architecture) {
  weights::RuleGains gains = rule_gains(architecture);
  if (gains.family == weights::RuleFamily::convolutional) gains.classifier_gain = 2;
  return weights::StateDict::from_rule(architecture.name, declare(architecture),
                                       [gains](const auto& tensor) { return weights::rule_tensor(tensor, 3, gains); });
}

std::vector<std::vector<float>> images_for(const SmallNetwork& small) {
  std::vector<std::vector<float>> images;
  for (std::int64_t n = 0; n < small.batch; ++n) {
    images.push_back(rule_image(static_cast<std::uint64_t>(200 + n), small.input_size));
  }
  return images;
}

/// (CE(x + h·d) − CE(x − h·d)) / 2h on the plain network.
double central_difference(const PlainNetwork& plain, const std::vector<double>& image,
                          const std::vector<float>& direction, std::int32_t label) {
  constexpr double step = 1e-6;
  std::vector<double> ahead = image;
  std::vector<double> behind = image;
  for (std::size_t i = 0; i < image.size(); ++i) {
    ahead[i] += step * static_cast<double>(direction[i]);
    behind[i] -= step * static_cast<double>(direction[i]);
  }
  return (plain.cross_entropy(ahead, label) - plain.cross_entropy(behind, label)) / (2 * step);
}

void check_logits_of(const NetworkRun& result, const PlainNetwork& plain,
                     const std::vector<std::vector<float>>& images) {
  for (std::size_t n = 0; n < images.size(); ++n) {
    const std::vector<double> expected = plain.logits({images[n].begin(), images[n].end()});
    REQUIRE(result.logits[n].size() == expected.size());
    double largest = 0;
    double off = 0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
      largest = std::max(largest, std::abs(expected[k]));
      off = std::max(off, std::abs(result.logits[n][k] - expected[k]));
    }
    CHECK(largest > 0.01);
    CHECK(off <= 1e-5 * largest);
  }
}

/// Along random directions and along single values at the corners and in the middle of the image.
void check_gradient_of(const NetworkRun& result, const PlainNetwork& plain, const std::vector<float>& image,
                       std::size_t n, std::int32_t label, double tolerance) {
  const std::vector<double> x(image.begin(), image.end());
  const std::vector<double>& gradient = result.gradients.at(n);
  double norm = 0;
  for (const double value : gradient) norm += value * value;
  norm = std::sqrt(norm);
  CHECK(norm > 0);
  std::vector<std::vector<float>> directions;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    directions.push_back(weights::rule_values("direction", seed, static_cast<std::int64_t>(x.size()), 1.0F, 0.0F));
  }
  for (const std::size_t place : {std::size_t{0}, x.size() / 2, x.size() - 1}) {
    directions.emplace_back(x.size());
    directions.back()[place] = 1;
  }
  for (const std::vector<float>& direction : directions) {
    double along = 0;
    double length = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      along += gradient[i] * static_cast<double>(direction[i]);
      length += static_cast<double>(direction[i]) * static_cast<double>(direction[i]);
    }
    const double expected = central_difference(plain, x, direction, label);
    CHECK(std::abs(along - expected) <=
          tolerance * norm * std::min(std::sqrt(length), 1.0 + std::abs(expected) / norm));
  }
}

}  // namespace

TEST_CASE("small networks against plain double-precision ones") {
  for (const SmallNetwork& small : small_networks()) {
    CAPTURE(small.title);
    const Architecture architecture{architecture_name(small.description), small.description};
    const weights::StateDict state = lively_state(architecture);
    Preprocessing preprocessing = default_preprocessing(architecture);
    preprocessing.input_size = small.input_size;
    const auto device = device_for(Precision::fp32);
    const auto network = build(architecture, state, preprocessing, small.batch, *device);
    const std::vector<std::vector<float>> images = images_for(small);
    std::vector<std::int32_t> labels;
    for (std::int64_t n = 0; n < small.batch; ++n) labels.push_back(static_cast<std::int32_t>(n % network->classes()));
    const NetworkRun result = run(*network, *device, images, labels);
    const PlainNetwork plain(architecture, state, preprocessing);
    check_logits_of(result, plain, images);
    const std::size_t last = images.size() - 1;
    check_gradient_of(result, plain, images[last], last, labels[last], small.gradient_tolerance);
  }
}

TEST_CASE("a network gives the same bits again, and an image the same bits in any place of the batch") {
  const Architecture architecture = architecture_named("cifar_resnet20");
  const weights::StateDict state = lively_state(architecture);
  const Preprocessing preprocessing = default_preprocessing(architecture);
  const auto device = device_for(Precision::fp32);
  const auto network = build(architecture, state, preprocessing, 3, *device);
  const std::vector<std::vector<float>> images{rule_image(1, 32), rule_image(2, 32), rule_image(3, 32)};
  const NetworkRun once = run(*network, *device, images, {1, 2, 3});
  const NetworkRun again = run(*network, *device, images, {1, 2, 3});
  const NetworkRun turned = run(*network, *device, {images[2], images[0], images[1]}, {3, 1, 2});
  CHECK(once.logits == again.logits);
  CHECK(once.gradients == again.gradients);
  for (std::size_t n = 0; n < 3; ++n) {
    CHECK(once.logits[n] == turned.logits[(n + 1) % 3]);
    CHECK(once.gradients[n] == turned.gradients[(n + 1) % 3]);
  }
}

namespace {

/// Forward and gradient of one image, first with each array an allocation of its own, then in an arena.
void check_rehearsal(const Architecture& architecture, const Preprocessing& preprocessing) {
  const auto device = device_for(Precision::fp32);
  const auto network = build(architecture, lively_state(architecture), preprocessing, 1, *device);
  const Shape shape{1, 3, network->height(), network->width()};
  const auto pass = [&] {
    Array images = device->array(Type::float32, shape);
    device->upload(rule_image(5, network->height()), images);
    const Array logits = network->forward(images_from(*device, images));
    Array dimages = device->array(Type::float32, shape);
    network->input_gradient(logits, gradient_into(*device, dimages));
    std::vector<float> values(static_cast<std::size_t>(shape.count()));
    device->download(dimages, values);
    return values;
  };
  const std::vector<float> unplanned = pass();
  const std::size_t bytes = device->rehearse([&] { pass(); });
  CHECK(bytes > static_cast<std::size_t>(shape.count()) * 4);
  device->commit(bytes);
  CHECK(pass() == unplanned);
}

}  // namespace

TEST_CASE("a network runs in an arena of the size that its rehearsal found") {
  for (const SmallNetwork& small : small_networks()) {
    CAPTURE(small.title);
    const Architecture architecture{architecture_name(small.description), small.description};
    Preprocessing preprocessing = default_preprocessing(architecture);
    preprocessing.input_size = small.input_size;
    check_rehearsal(architecture, preprocessing);
  }
}

TEST_CASE("a network of full size runs in an arena of the size that its rehearsal found") {
  for (const char* name : {"cifar_resnet20", "wrn_16_4", "vit_tiny_16", "vit_s_convstem", "resnet18", "alexnet"}) {
    CAPTURE(name);
    const Architecture architecture = architecture_named(name);
    check_rehearsal(architecture, default_preprocessing(architecture));
  }
}

}  // namespace blindspot::tests
