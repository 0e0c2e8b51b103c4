// Names and calls of a pickle. A name that is not on the list is refused where it is read; a call of a listed one
// becomes the plain value that it would build. Geometry of tensors is checked here.
#include <fmt/format.h>

#include <algorithm>

#include "weights/element_type.h"
#include "weights/message.h"
#include "weights/unpickler.h"

namespace blindspot::weights {
namespace {

constexpr std::size_t longest_key = 1024;  // a key is looked up for every mention; torch's are short numbers
// A tensor may be larger than its storage by strides of 0 (expand); this bounds what reading it allocates.
constexpr std::int64_t most_expanded_elements = std::int64_t{8} << 20;

}  // namespace

bool Unpickler::step_call(std::uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = take_line(), name = take_line();
      push(look_up(module, name));
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleValue name = pop_of_kind(PickleKind::text, "a name");
      const PickleValue module = pop_of_kind(PickleKind::text, "a module");
      push(look_up(heap_.text(module), heap_.text(name)));
      return true;
    }
    case 'R':
    case 0x81: {  // REDUCE, NEWOBJ
      const PickleValue arguments = pop();
      push(reduce(pop(), arguments));
      return true;
    }
    case 'i': {  // INST
      const std::string_view module = take_line(), name = take_line();
      const PickleValue callee = look_up(module, name);
      push(reduce(callee, heap_.make_container(PickleKind::tuple, pop_to_mark())));
      return true;
    }
    case 'o': {  // OBJ
      const std::vector<PickleValue> items = pop_to_mark();
      if (items.empty()) fail("an object without a class");
      push(reduce(items.front(), heap_.make_container(PickleKind::tuple, std::span(items).subspan(1))));
      return true;
    }
    case 'b':  // BUILD: attributes of a dict or an inert object, which nobody reads
      pop();
      if (top().kind != PickleKind::inert && top().kind != PickleKind::dict) {
        fail(fmt::format("sets attributes of {}", to_string(top().kind)));
      }
      return true;
    case 'Q':
      push(persistent_storage(pop()));
      return true;
    default:
      return false;
  }
}

PickleValue Unpickler::look_up(std::string_view module, std::string_view name) {
  const AllowedName* const allowed = find_allowed_name(module, name);
  if (allowed == nullptr) {
    refuse(heap_.file(),
           fmt::format(
               "refuses the name {}.{}: weight files may not run code or hold whole models; ask for the state dict "
               "(torch.save(model.state_dict()))",
               printable(module), printable(name)));
  }
  return heap_.make_name(*allowed);
}

PickleValue Unpickler::reduce(PickleValue callee, PickleValue arguments) {
  if (callee.kind != PickleKind::name) fail(fmt::format("calls {}", to_string(callee.kind)));
  if (arguments.kind != PickleKind::tuple)
    fail(fmt::format("arguments are {}, not a tuple", to_string(arguments.kind)));
  const AllowedName& name = heap_.name(callee);
  if (name.meaning == PickleName::inert) return {PickleKind::inert};
  constexpr std::size_t most_arguments = 7;
  if (heap_.item_count(arguments) > most_arguments) fail(fmt::format("too many arguments for {}", name.name));
  const std::vector<PickleValue> items = heap_.items(arguments);
  switch (name.meaning) {
    case PickleName::rebuild_tensor:
    case PickleName::rebuild_tensor_v2:
      return rebuild_tensor(name, items);
    case PickleName::rebuild_parameter:
      if (items.size() != 3 || items[0].kind != PickleKind::tensor) fail("a parameter holds no tensor");
      return items[0];
    case PickleName::ordered_dict:
    case PickleName::default_dict:
    case PickleName::plain_dict:
      return make_dict(name, items);
    default:
      fail(fmt::format("calls {}.{}", name.module, name.name));
  }
}

PickleValue Unpickler::make_dict(const AllowedName& name, std::span<const PickleValue> arguments) {
  const PickleValue dict = heap_.make_container(PickleKind::dict);
  if (arguments.size() > 1) fail(fmt::format("too many arguments for {}", name.name));
  if (arguments.empty() || name.meaning == PickleName::default_dict) return dict;
  const PickleValue content = arguments.front();
  if (content.kind == PickleKind::dict) {
    set_all(dict, heap_.items(content));
    return dict;
  }
  if (content.kind != PickleKind::list) fail(fmt::format("{} is made of {}", name.name, to_string(content.kind)));
  // Python 2 wrote an OrderedDict as a list of pairs.
  for (const PickleValue pair : heap_.items(content)) {
    const bool is_pair =
        (pair.kind == PickleKind::list || pair.kind == PickleKind::tuple) && heap_.item_count(pair) == 2;
    if (!is_pair) fail(fmt::format("{} is made of something else than pairs", name.name));
    set_all(dict, heap_.items(pair));
  }
  return dict;
}

PickleValue Unpickler::rebuild_tensor(const AllowedName& name, std::span<const PickleValue> arguments) {
  const bool fits = name.meaning == PickleName::rebuild_tensor ? arguments.size() == 4
                                                               : arguments.size() == 6 || arguments.size() == 7;
  if (!fits || arguments[0].kind != PickleKind::storage) fail(fmt::format("wrong arguments for {}", name.name));
  PickledTensor tensor{arguments[0].index, integer(arguments[1], "an offset"), integers(arguments[2], "a size"),
                       integers(arguments[3], "a stride")};
  const PickledStorage& storage = heap_.storages()[tensor.storage];
  if (tensor.shape.size() != tensor.strides.size())
    fail(fmt::format("a tensor has {} sizes and {} strides", tensor.shape.size(), tensor.strides.size()));
  const auto count = checked_count(tensor.shape);
  const bool is_negative = tensor.offset < 0 || std::any_of(tensor.strides.begin(), tensor.strides.end(),
                                                            [](std::int64_t stride) { return stride < 0; });
  if (!count || is_negative) fail("a tensor's size, stride or offset is negative or too large");
  std::int64_t last = tensor.offset;
  for (std::size_t d = 0; d < tensor.shape.size() && *count > 0; ++d) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(tensor.shape[d] - 1, tensor.strides[d], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      fail("a tensor's strides reach too far");
    }
  }
  if (*count > 0 ? last >= storage.window_count : tensor.offset > storage.window_count) {
    fail(fmt::format("a tensor reaches element {} of a storage of {}", last, storage.window_count));
  }
  if (*count > std::max(storage.window_count, most_expanded_elements)) {
    fail(fmt::format("a tensor expands {} stored numbers to {}", storage.window_count, *count));
  }
  return heap_.make_tensor(std::move(tensor));
}

PickleValue Unpickler::persistent_storage(PickleValue identity) {
  // ('storage', class, key, location, count), in legacy files with (key, offset, count) of a window or None behind
  if (identity.kind != PickleKind::tuple || heap_.item_count(identity) < 5 || heap_.item_count(identity) > 6) {
    fail("a persistent id is not that of a storage");
  }
  const std::vector<PickleValue> items = heap_.items(identity);
  const bool is_storage = items[0].kind == PickleKind::text && heap_.text(items[0]) == "storage" &&
                          items[1].kind == PickleKind::name &&
                          heap_.name(items[1]).meaning == PickleName::storage_type && items[2].kind == PickleKind::text;
  if (!is_storage) fail("a persistent id is not that of a storage");
  PickledStorage storage;
  storage.key = heap_.text(items[2]);
  if (storage.key.size() > longest_key) fail("the key of a storage is too long");
  storage.type = heap_.name(items[1]).type;
  storage.count = storage.window_count = integer(items[4], "a storage's length");
  if (storage.count < 0 || storage.count > INT64_MAX / 8) fail("a storage's length is negative or too large");
  if (items.size() == 6 && items[5].kind != PickleKind::none) {
    if (items[5].kind != PickleKind::tuple || heap_.item_count(items[5]) != 3) fail("a storage's window is malformed");
    const std::vector<PickleValue> window = heap_.items(items[5]);
    storage.window_begin = integer(window[1], "a window's offset");
    storage.window_count = integer(window[2], "a window's length");
    if (storage.window_begin < 0 || storage.window_count < 0 || storage.window_begin > storage.count ||
        storage.window_count > storage.count - storage.window_begin) {
      fail("a window reaches beyond its storage");
    }
  }
  return heap_.make_storage(storage);
}

std::vector<std::int64_t> Unpickler::integers(PickleValue tuple, std::string_view what) {
  if (tuple.kind != PickleKind::tuple) fail(fmt::format("{} is {}", what, to_string(tuple.kind)));
  if (heap_.item_count(tuple) > highest_rank) fail(fmt::format("a tensor has {} dimensions", heap_.item_count(tuple)));
  std::vector<std::int64_t> numbers;
  for (const PickleValue item : heap_.items(tuple)) numbers.push_back(integer(item, what));
  return numbers;
}

std::int64_t Unpickler::integer(PickleValue value, std::string_view what) const {
  if (value.kind != PickleKind::integer) fail(fmt::format("{} is {}, not an integer", what, to_string(value.kind)));
  return value.integer;
}

}  // namespace blindspot::weights
