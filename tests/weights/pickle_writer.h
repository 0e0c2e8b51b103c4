// Writes what Python's pickle module and torch.save write, as far as a state dict needs it: protocols 0, 1, 2 and 5, in
// a zip or in the legacy form. For tests of the reader; uses zlib for checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blindspot::tests {

/// The opcodes of one pickle, which differ by protocol. Every text and global is memoised as Python does it.
class PickleWriter {
 public:
  explicit PickleWriter(int protocol);

  void text(std::string_view ascii);
  void integer(std::int64_t value);  ///< of 32 bits
  void boolean(bool value);
  void none();
  void global(std::string_view module, std::string_view name);
  void mark() { bytes_ += '('; }
  void empty_dict();
  void empty_list();
  /// Of what lies on the stack: since the mark for a tuple, a dict or a list.
  void tuple();
  void set_items();
  void append_items();
  void reduce() { bytes_ += 'R'; }
  void persistent_id() { bytes_ += 'Q'; }
  void raw(std::string_view opcodes) { bytes_ += opcodes; }
  /// The whole pickle, framed from protocol 4 on.
  std::string take();

 private:
  void memoise();

  int protocol_;
  int memo_ = 0;
  std::string bytes_;
};

struct PickledTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// A dict of float32 tensors, each with a storage of its own whose key is its number.
std::string pickled_state_dict(int protocol, const std::vector<PickledTensor>& tensors);

/// torch.save's files of it.
std::vector<std::byte> torch_zip(int protocol, const std::vector<PickledTensor>& tensors);
std::vector<std::byte> torch_legacy(int protocol, const std::vector<PickledTensor>& tensors);

}  // namespace blindspot::tests
