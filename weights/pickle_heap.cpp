// The pools of pickle values. Uses the standard library.
#include "weights/pickle_heap.h"

#include <fmt/format.h>

#include <array>

#include "weights/message.h"

namespace blindspot::weights {
namespace {

// A checkpoint of a large network with its optimiser needs about one.
constexpr std::size_t most_bytes = std::size_t{24} << 20;

}  // namespace

std::string_view to_string(PickleKind kind) {
  constexpr std::array<std::string_view, 14> kind_names = {
      "None",   "a boolean", "an integer", "a large integer", "a float",   "a string", "bytes",
      "a name", "a tuple",   "a list",     "a dict",          "a storage", "a tensor", "an object"};
  return kind_names[static_cast<std::size_t>(kind)];
}

void PickleHeap::charge(std::size_t bytes) {
  charged_ += bytes;
  if (charged_ > most_bytes) {
    refuse(file_,
           fmt::format("its pickle builds more than {} MiB of objects beside the tensors; save the state dict alone",
                       most_bytes >> 20));
  }
}

PickleValue PickleHeap::make_text(PickleKind kind, std::string_view text) {
  charge(sizeof(std::string_view));
  texts_.push_back(text);
  return {kind, static_cast<std::uint32_t>(texts_.size() - 1)};
}

PickleValue PickleHeap::make_decoded_text(std::string text) {
  charge(sizeof(std::string) + text.size());
  decoded_.push_back(std::move(text));
  return make_text(PickleKind::text, decoded_.back());
}

PickleValue PickleHeap::make_name(const AllowedName& name) {
  charge(sizeof(void*));
  names_.push_back(&name);
  return {PickleKind::name, static_cast<std::uint32_t>(names_.size() - 1)};
}

PickleValue PickleHeap::make_container(PickleKind kind) {
  charge(sizeof(Container));
  containers_.emplace_back();
  return {kind, static_cast<std::uint32_t>(containers_.size() - 1)};
}

PickleValue PickleHeap::make_container(PickleKind kind, std::span<const PickleValue> items) {
  const PickleValue container = make_container(kind);
  for (const PickleValue item : items) append(container, item);
  return container;
}

PickleValue PickleHeap::make_storage(const PickledStorage& storage) {
  charge(sizeof(PickledStorage));
  storages_.push_back(storage);
  return {PickleKind::storage, static_cast<std::uint32_t>(storages_.size() - 1)};
}

PickleValue PickleHeap::make_tensor(PickledTensor tensor) {
  charge(sizeof(PickledTensor) + 2 * (tensor.shape.size() + 4) * sizeof(std::int64_t));
  tensors_.push_back(std::move(tensor));
  return {PickleKind::tensor, static_cast<std::uint32_t>(tensors_.size() - 1)};
}

void PickleHeap::append(PickleValue container, PickleValue item) {
  charge(sizeof(Item));
  items_.push_back({item, 0});
  const auto index = static_cast<std::uint32_t>(items_.size() - 1);
  Container& whole = containers_[container.index];
  if (whole.count++ == 0) {
    whole.first = index;
  } else {
    items_[whole.last].next = index;
  }
  whole.last = index;
}

std::vector<PickleValue> PickleHeap::items(PickleValue container) const {
  const Container& whole = containers_[container.index];
  std::vector<PickleValue> items;
  items.reserve(whole.count);
  std::uint32_t index = whole.first;
  for (std::uint32_t i = 0; i < whole.count; ++i) {
    items.push_back(items_[index].value);
    index = items_[index].next;
  }
  return items;
}

}  // namespace blindspot::weights
