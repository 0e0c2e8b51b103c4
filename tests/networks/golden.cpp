// Implementation of golden.h.
#include "tests/networks/golden.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

namespace blindspot::tests {

namespace {

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
  return result;
}

double median_magnitude(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// L2 norm, sum, largest magnitude, dot product with the probe.
std::array<double, 4> statistics(const std::vector<double>& gradient) {
  const std::vector<float> probe =
      weights::rule_values("probe", 102, static_cast<std::int64_t>(gradient.size()), 1.0F, 0.0F);
  double sum = 0;
  double dot = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    sum += gradient[i];
    dot += gradient[i] * static_cast<double>(probe[i]);
  }
  return {norm(gradient), sum, largest(gradient), dot};
}

}  // namespace

std::vector<std::size_t> sample_positions(std::size_t count, std::size_t size) {
  std::vector<std::size_t> positions(count);
  for (std::size_t i = 0; i < count; ++i) positions[i] = (i * 104729 + 17) % size;
  return positions;
}

void check_logits(const GoldenFile& golden, const std::string& prefix, const NetworkRun& run,
                  const GoldenTolerance& tolerance) {
  const auto expected = golden.rows(prefix + "logits");
  REQUIRE(expected.size() >= run.logits.size());
  double worst = 0;
  for (std::size_t n = 0; n < run.logits.size(); ++n) {
    worst = std::max(worst, largest(difference(run.logits[n], expected[n])) / largest(expected[n]));
  }
  MESSAGE("logits off by " << worst);
  CHECK(worst <= tolerance.logits);
  if (run.cross_entropy.empty()) return;
  const std::vector<double> cross_entropy = golden.flat("ce");
  for (std::size_t n = 0; n < run.cross_entropy.size(); ++n) {
    // Relative to the largest logit, as the logits are: a cross entropy is a difference of logits, and float32 does not
    // hold one of size 27 to 1e-5 (PyTorch's own float32 is off by 1.03e-5 on a picture of the trained ResNet-20).
    CHECK(std::abs(run.cross_entropy[n] - cross_entropy[n]) <=
          tolerance.cross_entropy * std::max(1.0, largest(run.logits[n])));
  }
}

void check_gradients(const GoldenFile& golden, const NetworkRun& run, const GoldenTolerance& tolerance) {
  const auto samples = golden.rows("gradient.samples");
  const auto expected_statistics = golden.rows("gradient.stats");
  REQUIRE(samples.size() >= run.gradients.size());
  for (std::size_t n = 0; n < run.gradients.size(); ++n) {
    const std::vector<double>& gradient = run.gradients[n];
    std::vector<double> ours;
    for (const std::size_t position : sample_positions(samples[n].size(), gradient.size())) {
      ours.push_back(gradient[position]);
    }
    const std::vector<double> off = difference(ours, samples[n]);
    const double l2 = norm(off) / norm(samples[n]);
    const double rms = norm(samples[n]) / std::sqrt(static_cast<double>(off.size()));
    const double median = median_magnitude(off) / rms;
    const double maximum = largest(off) / expected_statistics[n][2];
    MESSAGE("image " << n << ": gradient L2 " << l2 << ", max " << maximum << ", median " << median);
    CHECK(l2 <= tolerance.gradient_l2);
    CHECK(maximum <= tolerance.gradient_max);
    CHECK(median <= tolerance.gradient_median);
    // A gradient off by a share e of its norm moves its sum by at most e·norm·√n, and its dot product likewise.
    const std::array<double, 4> statistic = statistics(gradient);
    const double slack = tolerance.gradient_l2 * expected_statistics[n][0];
    const double root = std::sqrt(static_cast<double>(gradient.size()));
    CHECK(std::abs(statistic[0] - expected_statistics[n][0]) <= slack);
    CHECK(std::abs(statistic[1] - expected_statistics[n][1]) <= slack * root);
    CHECK(std::abs(statistic[2] - expected_statistics[n][2]) <= tolerance.gradient_max * expected_statistics[n][2]);
    CHECK(std::abs(statistic[3] - expected_statistics[n][3]) <= slack * root);
  }
}

void check_layer(const GoldenFile& golden, const std::string& pass, const std::string& layer, const LayerValues& values,
                 double tolerance, Gating gating) {
  const auto expected = golden.rows(pass + "." + layer);
  const auto forward = golden.rows("forward." + layer);
  REQUIRE(expected.size() >= values.size());
  double worst = 0;
  for (std::size_t n = 0; n < values.size(); ++n) {
    const double deviation = expected[n][1];
    const std::vector<std::size_t> positions = sample_positions(16, values[n].size());
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double ours = values[n].at(positions[i]);
      double wanted = expected[n][2 + i];
      const double output = forward[n][2 + i];
      if (gating == Gating::ends_in_relu && output <= 0) wanted = 0;
      if (gating == Gating::seen_behind_relu && pass == "forward") wanted = std::max(wanted, 0.0);
      if (gating == Gating::seen_behind_relu && pass == "backward" && output <= 0) continue;
      worst = std::max(worst, std::abs(ours - wanted) / deviation);
    }
    if (gating != Gating::none) continue;
    double mean = 0;
    for (const double value : values[n]) mean += value / static_cast<double>(values[n].size());
    double variance = 0;
    for (const double value : values[n]) {
      variance += (value - mean) * (value - mean) / static_cast<double>(values[n].size());
    }
    worst = std::max(
        {worst, std::abs(mean - expected[n][0]) / deviation, std::abs(std::sqrt(variance) - deviation) / deviation});
  }
  CHECK_MESSAGE(worst <= tolerance, pass, ".", layer, " is off by ", worst, " standard deviations");
}

}  // namespace blindspot::tests
