// Whole networks on weights from the rule: the CPU in fp32 against CUDA in every precision, logits and input gradients.
// Needs no reference files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/cpu/cpu_device.h"
#include "tests/networks/golden.h"

namespace blindspot::tests {
namespace {

struct Subject {
  const char* name;
  bool has_relu;
};

constexpr std::array<Subject, 6> subjects{{{"resnet18", true},
                                           {"resnet50", true},
                                           {"wrn_28_10", true},
                                           {"deit_small", false},
                                           {"vit_s_convstem", false},
                                           {"vit_b_16", false}}};

/// Each side may be off from the truth by what golden.h allows it.
struct Allowed {
  double logits = 0, gradient = 0;
};

Allowed allowed(Precision precision, bool has_relu) {
  const GoldenTolerance& cpu = has_relu ? relu_fp32 : smooth_fp32;
  GoldenTolerance gpu = cpu;
  if (precision == Precision::bf16) gpu = has_relu ? relu_bf16 : smooth_bf16;
  if (precision == Precision::fp16) gpu = has_relu ? relu_fp16 : smooth_fp16;
  if (precision == Precision::tf32) gpu = has_relu ? relu_tf32 : smooth_tf32;
  return {cpu.logits + gpu.logits, cpu.gradient_l2 + gpu.gradient_l2};
}

double largest_difference_share(const std::vector<double>& values, const std::vector<double>& reference) {
  REQUIRE(values.size() == reference.size());
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) return std::nan("");
    difference = std::max(difference, std::abs(values[i] - reference[i]));
    largest = std::max(largest, std::abs(reference[i]));
  }
  return difference / largest;
}

double l2_difference_share(const std::vector<double>& values, const std::vector<double>& reference) {
  REQUIRE(values.size() == reference.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    difference += (values[i] - reference[i]) * (values[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return std::sqrt(difference / norm);
}

void compare(const Subject& subject) {
  CAPTURE(subject.name);
  const Architecture architecture = architecture_named(subject.name);
  const weights::StateDict state = rule_state(architecture, 1);
  const Preprocessing preprocessing = default_preprocessing(architecture);
  const std::vector<std::vector<float>> images{rule_image(300, preprocessing.input_size),
                                               rule_image(301, preprocessing.input_size)};
  const std::vector<std::int32_t> labels{3, 7};
  const auto run_on = [&](Device& device) {
    const auto network = build(architecture, state, preprocessing, 2, device);
    return run(*network, device, images, labels);
  };
  const NetworkRun reference = run_on(*cpu::make_device({.precision = Precision::fp32, .threads = 0}));
  for (const Precision precision : device_precisions()) {
    const Allowed allowance = allowed(precision, subject.has_relu);
    const NetworkRun result = run_on(*device_for(precision));
    double logits = 0;
    double gradient = 0;
    for (std::size_t n = 0; n < images.size(); ++n) {
      const double logits_off = largest_difference_share(result.logits[n], reference.logits[n]);
      const double gradient_off = l2_difference_share(result.gradients[n], reference.gradients[n]);
      CHECK_MESSAGE(logits_off <= allowance.logits, subject.name, " ", to_string(precision), ": logits");
      CHECK_MESSAGE(gradient_off <= allowance.gradient, subject.name, " ", to_string(precision), ": gradient");
      logits = std::max(logits, logits_off);
      gradient = std::max(gradient, gradient_off);
    }
    MESSAGE(subject.name, " ", to_string(precision), ": logits off by ", logits, ", gradient by ", gradient);
  }
}

TEST_CASE("the CPU against CUDA on whole networks, in every precision") {
  for (const Subject& subject : subjects) compare(subject);
}

}  // namespace
}  // namespace blindspot::tests
