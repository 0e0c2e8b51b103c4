// The walk of lst.md for one pair, in double and step by step as the page has it: what the engine's walk is compared
// with. Uses toy_networks.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "blindspot/walk.h"
#include "toy_networks.h"

namespace blindspot::tests {

struct PlainWalk {
  double source_probability = 0, start_probability = 0, probability = 0;
  std::vector<bool> decisions;
  std::vector<double> candidate_probabilities;
  std::vector<std::vector<double>> images;  // x after each iteration
};

inline std::vector<double> plain_softmax(const std::vector<double>& logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> result;
  result.reserve(logits.size());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  for (const double logit : logits) result.push_back(std::exp(logit - largest) / sum);
  return result;
}

/// ∇ₓ CE with the class's own entry as the sum of the others.
inline std::vector<double> plain_gradient(const ToyModel& model, const std::vector<double>& x, std::size_t label) {
  std::vector<double> seed = plain_softmax(model.logits(x));
  seed[label] = 0;
  double others = 0;
  for (const double value : seed) others += value;
  seed[label] = -others;
  return model.gradient(x, seed);
}

/// `noise` is U. `accumulate_always` false leaves A alone after a refused step, as a wrong engine might.
inline PlainWalk plain_walk(const ToyModel& model, const WalkPair& pair, const std::vector<float>& noise,
                            const WalkParameters& parameters, bool accumulate_always = true) {
  const auto label = static_cast<std::size_t>(pair.source_class);
  const std::vector<double> source(pair.source->values.begin(), pair.source->values.end());
  const std::vector<double> target(pair.target->values.begin(), pair.target->values.end());
  const std::size_t n = source.size();
  const auto step_size = static_cast<double>(parameters.step_size);
  const auto largest = static_cast<double>(parameters.adversarial_step);
  const auto probability = [&](const std::vector<double>& x) { return plain_softmax(model.logits(x))[label]; };

  PlainWalk walk;
  walk.source_probability = probability(source);
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = std::clamp(source[i] + 4.0 / 255.0 * (static_cast<double>(noise[i]) - 0.5), 0.0, 1.0);
  }
  walk.start_probability = probability(x);
  std::vector<double> a(n, 0.0);
  bool accepted = true;
  for (std::int64_t iteration = 0; iteration < parameters.iterations; ++iteration) {
    const std::vector<double> j = plain_gradient(model, x, label);
    double jv = 0;
    double jj = 0;
    for (std::size_t i = 0; i < n; ++i) {
      jv += j[i] * (target[i] - x[i]);
      jj += j[i] * j[i];
    }
    const double along = jj == 0 && parameters.mode == WalkMode::standard ? 0.0 : jv / jj;
    std::vector<double> candidate(n);
    for (std::size_t i = 0; i < n; ++i) {
      if (accepted || accumulate_always) a[i] = std::clamp(a[i] + largest / 2 * j[i], -largest, largest);
      const double moved = x[i] + step_size * (target[i] - x[i] - along * j[i]) - (parameters.adversarial ? a[i] : 0.0);
      candidate[i] = std::isnan(moved) ? moved : std::clamp(moved, 0.0, 1.0);
    }
    const double p = probability(candidate);
    accepted = walk.source_probability - p < static_cast<double>(parameters.delta);
    if (accepted) x = candidate;
    walk.decisions.push_back(accepted);
    walk.candidate_probabilities.push_back(p);
    walk.images.push_back(x);
  }
  walk.probability = probability(x);
  return walk;
}

}  // namespace blindspot::tests
