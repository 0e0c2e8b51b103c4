// The weight rule: FNV-1a of the name, splitmix64 of the index, a table of scales. Integers modulo 2⁶⁴, values in
// double, rounded once to float32.
#include "weights/rule.h"

#include <cmath>

namespace blindspot::weights {
namespace {

constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15;

std::uint64_t hash_of_name(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : name) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3;
  return hash;
}

struct ScaleAndOffset {
  double scale, offset;
};

bool is_classifier(std::string_view name) {
  return name == "fc.weight" || name == "head.weight" || name == "linear.weight";
}

double gain_of(std::string_view name, const RuleGains& gains) {
  if (is_classifier(name)) return gains.classifier_gain;
  if (gains.family == RuleFamily::convolutional) return 2;
  if (name.starts_with("patch_embed.")) return gains.family == RuleFamily::transformer_with_stem ? 2 : 1;
  if (name.ends_with("attn.qkv.weight")) return 3;
  if (name.ends_with("attn.proj.weight")) return 1;
  return 2;
}

ScaleAndOffset scale_and_offset(const TensorDeclaration& tensor, const RuleGains& gains) {
  const std::string_view name = tensor.name;
  if (name.ends_with("running_mean")) return {0.1, 0};
  if (name.ends_with("running_var")) return {0.5, 1};
  if (name == "cls_token" || name == "pos_embed") return {0.5, 0};
  if (name.ends_with(".bias")) return {0.1, 0};
  if (tensor.shape.size() == 1) {
    const bool ends_branch = !gains.last_norm.empty() && name.ends_with("." + gains.last_norm);
    return ends_branch ? ScaleAndOffset{0.06, 0.3} : ScaleAndOffset{0.2, 1};
  }
  std::int64_t fan_in = 1;
  for (std::size_t d = 1; d < tensor.shape.size(); ++d) fan_in *= tensor.shape[d];
  return {std::sqrt((3.0 * gain_of(name, gains)) / static_cast<double>(fan_in)), 0};
}

}  // namespace

std::vector<float> rule_values(std::string_view name, std::uint64_t seed, std::int64_t count, float scale,
                               float offset) {
  const std::uint64_t key = hash_of_name(name) ^ (seed * golden_ratio);
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint64_t counter = key;
  for (float& value : values) {
    counter += golden_ratio;
    std::uint64_t z = counter;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    const double v = 2.0 * (static_cast<double>(z >> 40) * 0x1p-24) - 1.0;
    value = static_cast<float>(static_cast<double>(scale) * v + static_cast<double>(offset));
  }
  return values;
}

std::vector<float> rule_tensor(const TensorDeclaration& tensor, std::uint64_t seed, const RuleGains& gains) {
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  const auto [scale, offset] = scale_and_offset(tensor, gains);
  return rule_values(tensor.name, seed, count, static_cast<float>(scale), static_cast<float>(offset));
}

}  // namespace blindspot::weights
