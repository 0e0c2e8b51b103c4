// The stack machine: stack, marks, memo and containers. Opcodes by their letters, as Python's pickletools lists them.
#include "weights/unpickler.h"

#include <fmt/format.h>

#include <algorithm>

#include "weights/message.h"

namespace blindspot::weights {

PickleValue Unpickler::run() {
  for (;;) {
    const auto opcode = static_cast<std::uint8_t>(take(1)[0]);
    if (opcode == '.') break;
    step(opcode);
  }
  return pop();
}

void Unpickler::step(std::uint8_t opcode) {
  if (opcode == 0x80) {  // PROTO
    const std::uint64_t protocol = take_number(1);
    if (protocol > 5) fail(fmt::format("pickle protocol {} is unknown", protocol));
  } else if (opcode == 0x95) {  // FRAME
    const std::uint64_t size = take_number(8);
    if (size > program_.size() - position_) fail("a frame is longer than the pickle");
  } else if (!step_number(opcode) && !step_text(opcode) && !step_container(opcode) && !step_stack(opcode) &&
             !step_memo(opcode) && !step_call(opcode)) {
    fail(fmt::format("the opcode 0x{:02x} is unknown or not for weights", opcode));
  }
}

bool Unpickler::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case ')':
      push(heap_.make_container(PickleKind::tuple));
      return true;
    case ']':
      push(heap_.make_container(PickleKind::list));
      return true;
    case '}':
      push(heap_.make_container(PickleKind::dict));
      return true;
    case 0x8F:
      push({PickleKind::inert});
      return true;  // EMPTY_SET
    case 't':
      push(heap_.make_container(PickleKind::tuple, pop_to_mark()));
      return true;
    case 'l':
      push(heap_.make_container(PickleKind::list, pop_to_mark()));
      return true;
    case 'd': {
      const auto items = pop_to_mark();
      const PickleValue dict = heap_.make_container(PickleKind::dict);
      set_all(dict, items);
      push(dict);
      return true;
    }
    case 0x91:
      pop_to_mark(), push({PickleKind::inert});
      return true;  // FROZENSET
    case 0x85:
    case 0x86:
    case 0x87: {  // TUPLE1 … TUPLE3
      const std::size_t size = opcode - std::size_t{0x84};
      std::vector<PickleValue> items(size);
      for (std::size_t i = size; i-- > 0;) items[i] = pop();
      push(heap_.make_container(PickleKind::tuple, items));
      return true;
    }
    case 'a': {
      const PickleValue item = pop();
      append_all(top(), {&item, 1});
      return true;
    }
    case 'e': {
      const auto items = pop_to_mark();
      append_all(top(), items);
      return true;
    }
    case 's': {
      const PickleValue value = pop(), key = pop();
      set_all(top(), std::vector<PickleValue>{key, value});
      return true;
    }
    case 'u': {
      const auto items = pop_to_mark();
      set_all(top(), items);
      return true;
    }
    case 0x90:  // ADDITEMS
      pop_to_mark();
      if (top().kind != PickleKind::inert) fail(fmt::format("adds to {} as to a set", to_string(top().kind)));
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_stack(std::uint8_t opcode) {
  switch (opcode) {
    case '(':
      heap_.charge(sizeof(std::size_t));
      marks_.push_back(stack_.size());
      return true;
    case '0':
      // As in Python, POP on a bare MARK takes the MARK.
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;
    case '2':
      push(top());
      return true;
    default:
      return false;
  }
}

bool Unpickler::step_memo(std::uint8_t opcode) {
  const auto index_of_line = [this] {
    const std::string_view line = take_line();
    std::uint64_t index = 0;
    if (line.empty() || line.size() > 18) fail("a memo index is malformed");
    for (const char digit : line) {
      if (digit < '0' || digit > '9') fail("a memo index is malformed");
      index = index * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    return index;
  };
  switch (opcode) {
    case 'p':
      put(index_of_line());
      return true;
    case 'q':
      put(take_number(1));
      return true;
    case 'r':
      put(take_number(4));
      return true;
    case 0x94:
      put(memo_.size());
      return true;  // MEMOIZE
    case 'g':
      get(index_of_line());
      return true;
    case 'h':
      get(take_number(1));
      return true;
    case 'j':
      get(take_number(4));
      return true;
    default:
      return false;
  }
}

void Unpickler::push(PickleValue value) {
  stack_.push_back(value);
  if (stack_.size() > deepest_) {
    deepest_ = stack_.size();
    heap_.charge(sizeof(PickleValue));
  }
}

PickleValue Unpickler::pop() {
  const PickleValue value = top();
  stack_.pop_back();
  return value;
}

PickleValue Unpickler::top() const {
  if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) fail("the stack is empty");
  return stack_.back();
}

std::vector<PickleValue> Unpickler::pop_to_mark() {
  if (marks_.empty()) fail("a MARK is missing");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

PickleValue Unpickler::pop_of_kind(PickleKind kind, std::string_view what) {
  const PickleValue value = pop();
  if (value.kind != kind) fail(fmt::format("{} is {}, not {}", what, to_string(value.kind), to_string(kind)));
  return value;
}

void Unpickler::put(std::uint64_t index) {
  constexpr std::size_t memo_entry = 64;  // a node of the map and its share of the buckets
  const PickleValue value = top();
  // Picklers count up, so an index beyond the pickle's own length is a lie.
  if (index > program_.size()) fail(fmt::format("memo index {} is too large", index));
  if (memo_.insert_or_assign(index, value).second) heap_.charge(memo_entry);
}

void Unpickler::get(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail(fmt::format("memo entry {} was never put", index));
  push(found->second);
}

void Unpickler::append_all(PickleValue list, std::span<const PickleValue> items) {
  if (list.kind != PickleKind::list) fail(fmt::format("appends to {} as to a list", to_string(list.kind)));
  for (const PickleValue item : items) heap_.append(list, item);
}

void Unpickler::set_all(PickleValue dict, std::span<const PickleValue> keys_and_values) {
  if (dict.kind != PickleKind::dict) fail(fmt::format("sets items of {} as of a dict", to_string(dict.kind)));
  if (keys_and_values.size() % 2 != 0) fail("a dict has a key without a value");
  for (std::size_t i = 0; i < keys_and_values.size(); ++i) {
    const PickleKind kind = keys_and_values[i].kind;
    if (i % 2 == 0 && (kind == PickleKind::list || kind == PickleKind::dict)) {
      fail(fmt::format("{} is the key of a dict", to_string(kind)));
    }
    heap_.append(dict, keys_and_values[i]);
  }
}

void Unpickler::fail(std::string_view what) const {
  refuse(heap_.file(), fmt::format("its pickle is damaged or no state dict: {} (byte {})", what, position_));
}

}  // namespace blindspot::weights
