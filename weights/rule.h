// Weights made from a rule: a counter-based hash of (tensor name, seed, index), so that no large file has to travel.
// Knows names and gains, no network.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "weights/state.h"

namespace blindspot::weights {

/// value[i] = float32(double(scale)·v + double(offset)), v in [−1, 1) from the splitmix-style hash of (name, seed, i);
/// scale and offset are first rounded to float32.
std::vector<float> rule_values(std::string_view name, std::uint64_t seed, std::int64_t count, float scale,
                               float offset);

enum class RuleFamily : std::uint8_t { convolutional, transformer, transformer_with_stem };

struct RuleGains {
  RuleFamily family = RuleFamily::convolutional;
  std::string last_norm;  ///< "bn2.weight", "bn3.weight" or empty: norms that end a residual branch, ".bn2.weight"
  double classifier_gain = 0.06;  ///< 6 for transformers
};

/// Values of one declared tensor by the table of the rule.
std::vector<float> rule_tensor(const TensorDeclaration& tensor, std::uint64_t seed, const RuleGains& gains);

}  // namespace blindspot::weights
