// Going down a checkpoint's wrappers. A dict that contains itself, or is reached twice, is looked at once.
#include "weights/state_dict_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "weights/message.h"
#include "weights/tensor_view.h"

namespace blindspot::weights {
namespace {

// The first that is there is gone down. Averaged copies (model_ema, state_dict_ema) are not among them: a checkpoint
// stands for the network that was trained.
constexpr std::array<std::string_view, 5> wrapper_keys = {"state_dict", "model_state_dict", "model", "net",
                                                          "checkpoint"};
constexpr int deepest_level = 8;

/// Values by their text keys; other keys do not matter. Refuses a key that occurs twice.
std::unordered_map<std::string_view, PickleValue> entries_of(const PickleHeap& heap, PickleValue dict) {
  std::unordered_map<std::string_view, PickleValue> entries;
  const std::vector<PickleValue> items = heap.items(dict);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].kind != PickleKind::text) continue;
    if (!entries.emplace(heap.text(items[i]), items[i + 1]).second) {
      refuse(heap.file(), fmt::format("the name {} occurs twice", printable(heap.text(items[i]))));
    }
  }
  return entries;
}

bool is_tensor(PickleValue value) {
  return value.kind == PickleKind::tensor;
}

// Wrappers go first: training checkpoints hold tensors such as the best accuracy beside their state dict.
std::optional<PickleValue> search(const PickleHeap& heap, PickleValue value, int depth,
                                  std::unordered_set<std::uint32_t>& seen) {
  if (value.kind != PickleKind::dict || depth > deepest_level || !seen.insert(value.index).second) return std::nullopt;
  const auto entries = entries_of(heap, value);
  for (const std::string_view wrapper : wrapper_keys) {
    const auto entry = entries.find(wrapper);
    if (entry == entries.end()) continue;
    if (const auto found = search(heap, entry->second, depth + 1, seen)) return found;
  }
  const bool holds_tensors =
      std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return is_tensor(entry.second); });
  return holds_tensors ? std::optional(value) : std::nullopt;
}

}  // namespace

std::vector<FoundTensor> find_state_dict(PickleHeap& heap, PickleValue root) {
  std::unordered_set<std::uint32_t> seen;
  const auto dict = search(heap, root, 0, seen);
  if (!dict) {
    refuse(heap.file(), fmt::format("holds no state dict: the root is {} without tensors; save one with "
                                    "torch.save(model.state_dict())",
                                    to_string(root.kind)));
  }
  std::vector<FoundTensor> tensors;
  for (const auto& [name, value] : entries_of(heap, *dict)) {
    if (!is_tensor(value)) continue;
    if (!is_utf8(name)) refuse(heap.file(), fmt::format("the tensor name {} is not UTF-8", printable(name)));
    const PickledTensor& tensor = heap.tensors()[value.index];
    // Every name gets a copy of what the pickle may hold once for all of them.
    heap.charge(sizeof(NamedTensor) + name.size() +
                (tensor.shape.size() + tensor.strides.size()) * sizeof(std::int64_t));
    tensors.push_back({name, &tensor});
  }
  return tensors;
}

}  // namespace blindspot::weights
