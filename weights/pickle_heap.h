// Values that a pickle builds, in flat pools: containers refer to their contents by index, so nothing is freed by
// recursion and nothing is copied. Uses pickle_names.h.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "weights/pickle_names.h"

namespace blindspot::weights {

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,
  floating,
  text,
  bytes,
  name,
  tuple,
  list,
  dict,
  storage,
  tensor,
  inert
};

std::string_view to_string(PickleKind kind);

/// A value of a pickle. `integer` holds a boolean or an integer; `index` points into the pool of `kind`.
struct PickleValue {
  PickleKind kind = PickleKind::none;
  std::uint32_t index = 0;
  std::int64_t integer = 0;
};

/// A storage as a tensor of the pickle refers to it; its elements stand elsewhere in the file.
struct PickledStorage {
  std::string_view key;
  ElementType type = ElementType::f32;
  std::int64_t count = 0;         ///< elements of the whole storage
  std::int64_t window_begin = 0;  ///< first element that belongs to it
  std::int64_t window_count = 0;
};

struct PickledTensor {
  std::uint32_t storage = 0;
  std::int64_t offset = 0;  ///< from the start of the window
  std::vector<std::int64_t> shape, strides;
};

class PickleHeap {
 public:
  explicit PickleHeap(std::string_view file) : file_(file) {}

  const std::string& file() const { return file_; }
  /// Counts memory that a pickle makes us use; throws Error(input) when it is too much.
  void charge(std::size_t bytes);

  PickleValue make_text(PickleKind kind, std::string_view text);
  PickleValue make_decoded_text(std::string text);  ///< keeps the text
  PickleValue make_name(const AllowedName& name);
  PickleValue make_container(PickleKind kind);
  PickleValue make_container(PickleKind kind, std::span<const PickleValue> items);
  PickleValue make_storage(const PickledStorage& storage);
  PickleValue make_tensor(PickledTensor tensor);

  /// Appends to a tuple, list or dict; a dict's items alternate between key and value.
  void append(PickleValue container, PickleValue item);

  std::string_view text(PickleValue value) const { return texts_[value.index]; }
  const AllowedName& name(PickleValue value) const { return *names_[value.index]; }
  /// The items of a tuple, list or dict, in order.
  std::vector<PickleValue> items(PickleValue container) const;
  std::size_t item_count(PickleValue container) const { return containers_[container.index].count; }
  const std::deque<PickledStorage>& storages() const { return storages_; }
  const std::deque<PickledTensor>& tensors() const { return tensors_; }

 private:
  struct Item {
    PickleValue value;
    std::uint32_t next = 0;
  };
  struct Container {
    std::uint32_t first = 0, last = 0, count = 0;
  };

  std::string file_;
  std::size_t charged_ = 0;
  std::deque<std::string_view> texts_;
  std::deque<std::string> decoded_;
  std::deque<const AllowedName*> names_;
  std::deque<Container> containers_;
  std::deque<Item> items_;
  std::deque<PickledStorage> storages_;
  std::deque<PickledTensor> tensors_;
};

}  // namespace blindspot::weights
