// A pickle machine for weight files: protocols 0 to 5, tensors and plain containers and nothing else. Nothing is ever
// called, nothing recurses, nothing is allocated by a length that the file claims. Uses pickle_heap.h.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "weights/pickle_heap.h"

namespace blindspot::weights {

class Unpickler {
 public:
  /// Reads one pickle at the start of `program`, which must outlive the heap's texts. Errors are Error(input) with the
  /// heap's file name first.
  Unpickler(PickleHeap& heap, std::span<const std::byte> program) : heap_(heap), program_(program) {}

  /// Runs to STOP and returns the value on top.
  PickleValue run();
  /// Bytes read so far: where the next pickle of a stream begins.
  std::size_t position() const { return position_; }

 private:
  // unpickler.cpp: the stack, the memo, containers
  void step(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  bool step_stack(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);
  void push(PickleValue value);
  PickleValue pop();
  PickleValue top() const;
  /// What was pushed since the last MARK, which goes too.
  std::vector<PickleValue> pop_to_mark();
  PickleValue pop_of_kind(PickleKind kind, std::string_view what);
  void put(std::uint64_t index);
  void get(std::uint64_t index);
  void append_all(PickleValue list, std::span<const PickleValue> items);
  void set_all(PickleValue dict, std::span<const PickleValue> keys_and_values);

  // unpickler_literals.cpp: numbers and texts
  bool step_number(std::uint8_t opcode);
  bool step_text(std::uint8_t opcode);
  void push_decimal(std::string_view text);
  void push_little_endian(std::string_view bytes);
  void push_text(std::string_view text);
  std::string_view take(std::uint64_t size);
  std::string_view take_line();
  std::uint64_t take_number(std::size_t bytes);

  // unpickler_calls.cpp: names, and what stands in the place of a call
  bool step_call(std::uint8_t opcode);
  PickleValue look_up(std::string_view module, std::string_view name);
  PickleValue reduce(PickleValue callee, PickleValue arguments);
  PickleValue make_dict(const AllowedName& name, std::span<const PickleValue> arguments);
  PickleValue rebuild_tensor(const AllowedName& name, std::span<const PickleValue> arguments);
  PickleValue persistent_storage(PickleValue identity);
  std::vector<std::int64_t> integers(PickleValue tuple, std::string_view what);
  std::int64_t integer(PickleValue value, std::string_view what) const;

  [[noreturn]] void fail(std::string_view what) const;

  PickleHeap& heap_;
  std::span<const std::byte> program_;
  std::size_t position_ = 0;
  std::vector<PickleValue> stack_;
  std::size_t deepest_ = 0;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue> memo_;
};

}  // namespace blindspot::weights
