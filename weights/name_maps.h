// Names under which other projects publish the same networks, and the names that this project calls them by. Knows
// names only; uses the standard library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace blindspot::weights {

/// What a raw tensor name means.
struct CanonicalName {
  std::string name;
  int part = 0, parts = 1;  ///< 0, 1, 2 of 3 for a separate query, key and value, joined along the first dimension
};

/// Without `module.`, `model.`, `_orig_mod.` in front, however many.
std::string_view without_prefixes(std::string_view name);

/// True for tensors that stand beside a network without belonging to it: step counters, a normaliser's mean and
/// deviation, the copy inside an attacker, optimiser state. `name` has no prefixes.
bool is_companion(std::string_view name);

/// torchvision's, timm's, Hugging Face's and RobustBench's names as canonical ones; others stay as they are. `name` has
/// no prefixes; `is_hugging_face` where the file has tensors under `vit.`, `deit.` or `resnet.`.
CanonicalName canonical_name(std::string_view name, bool is_hugging_face);

}  // namespace blindspot::weights
