// Implementation of pickle_writer.h.
#include "pickle_writer.h"

#include <zlib.h>

#include <cstring>
#include <initializer_list>
#include <span>

namespace blindspot::tests {
namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += i < 8 ? static_cast<char>(value >> (8 * i) & 0xFF) : '\0';
  return text;
}

/// Adding texts up with + makes g++ 12 see overlaps that cannot be.
std::string joined(std::initializer_list<std::string_view> parts) {
  std::string whole;
  for (const std::string_view part : parts) whole += part;
  return whole;
}

std::string values_of(const PickledTensor& tensor) {
  std::string bytes(tensor.values.size() * sizeof(float), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), tensor.values.data(), bytes.size());
  return bytes;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void sizes(PickleWriter& pickle, const std::vector<std::int64_t>& numbers) {
  pickle.mark();
  for (const std::int64_t number : numbers) pickle.integer(number);
  pickle.tuple();
}

/// torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()).
void tensor_call(PickleWriter& pickle, const PickledTensor& tensor, std::size_t key) {
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.mark();
  pickle.mark();
  pickle.text("storage");
  pickle.global("torch", "FloatStorage");
  pickle.text(std::to_string(key));
  pickle.text("cpu");
  pickle.integer(static_cast<std::int64_t>(tensor.values.size()));
  pickle.tuple();
  pickle.persistent_id();
  pickle.integer(0);
  sizes(pickle, tensor.shape);
  std::vector<std::int64_t> strides(tensor.shape.size(), 1);
  for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * tensor.shape[d];
  sizes(pickle, strides);
  pickle.boolean(false);
  pickle.global("collections", "OrderedDict");
  pickle.mark();
  pickle.tuple();
  pickle.reduce();
  pickle.tuple();
  pickle.reduce();
}

/// A member's header, as it stands before its bytes and, with its place, in the directory.
std::string zip_header(bool in_directory, std::string_view name, std::string_view contents, std::size_t place) {
  const auto* const data = reinterpret_cast<const Bytef*>(contents.data());
  const std::uint64_t crc = ::crc32(0, data, static_cast<uInt>(contents.size()));
  std::string header = in_directory ? joined({"PK\x01\x02", little_endian(20, 2)}) : "PK\x03\x04";
  header += joined({little_endian(20, 2), little_endian(0, 8), little_endian(crc, 4), little_endian(contents.size(), 4),
                    little_endian(contents.size(), 4), little_endian(name.size(), 2), little_endian(0, 2)});
  if (in_directory) header += joined({little_endian(0, 10), little_endian(place, 4)});
  return header.append(name);
}

/// Members stored as they are.
std::string stored_zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string zip;
  std::string directory;
  for (const auto& [name, contents] : members) {
    directory += zip_header(true, name, contents, zip.size());
    zip += joined({zip_header(false, name, contents, 0), contents});
  }
  const std::size_t place = zip.size();
  const std::string count = little_endian(members.size(), 2);
  return joined({zip, directory, "PK\x05\x06", little_endian(0, 4), count, count, little_endian(directory.size(), 4),
                 little_endian(place, 4), little_endian(0, 2)});
}

}  // namespace

PickleWriter::PickleWriter(int protocol) : protocol_(protocol) {}

void PickleWriter::memoise() {
  if (protocol_ >= 4) {
    bytes_ += '\x94';
  } else if (protocol_ == 0) {
    bytes_ += joined({"p", std::to_string(memo_), "\n"});
  } else {
    const bool is_short = memo_ < 256;
    bytes_ += joined({is_short ? "q" : "r", little_endian(static_cast<std::uint64_t>(memo_), is_short ? 1 : 4)});
  }
  ++memo_;
}

void PickleWriter::text(std::string_view ascii) {
  if (protocol_ == 0) {
    bytes_ += joined({"V", ascii, "\n"});
  } else if (protocol_ >= 4) {
    bytes_ += joined({"\x8C", little_endian(ascii.size(), 1), ascii});
  } else {
    bytes_ += joined({"X", little_endian(ascii.size(), 4), ascii});
  }
  memoise();
}

void PickleWriter::integer(std::int64_t value) {
  if (protocol_ == 0) {
    bytes_ += joined({"I", std::to_string(value), "\n"});
  } else if (value >= 0 && value < 256) {
    bytes_ += joined({"K", little_endian(static_cast<std::uint64_t>(value), 1)});
  } else if (value >= 0 && value < 65536) {
    bytes_ += joined({"M", little_endian(static_cast<std::uint64_t>(value), 2)});
  } else {
    bytes_ += joined({"J", little_endian(static_cast<std::uint64_t>(value), 4)});
  }
}

void PickleWriter::boolean(bool value) {
  if (protocol_ >= 2) {
    bytes_ += value ? '\x88' : '\x89';
  } else {
    bytes_ += value ? "I01\n" : "I00\n";
  }
}

void PickleWriter::none() {
  bytes_ += 'N';
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  if (protocol_ >= 4) {
    text(module);
    text(name);
    bytes_ += '\x93';
  } else {
    bytes_ += joined({"c", module, "\n", name, "\n"});
  }
  memoise();
}

void PickleWriter::empty_dict() {
  bytes_ += protocol_ == 0 ? "(d" : "}";
  memoise();
}

void PickleWriter::empty_list() {
  bytes_ += protocol_ == 0 ? "(l" : "]";
  memoise();
}

void PickleWriter::tuple() {
  bytes_ += 't';
  memoise();
}

void PickleWriter::set_items() {
  bytes_ += 'u';
}

void PickleWriter::append_items() {
  bytes_ += 'e';
}

std::string PickleWriter::take() {
  bytes_ += '.';
  std::string start;
  if (protocol_ >= 2) start = joined({"\x80", little_endian(static_cast<std::uint64_t>(protocol_), 1)});
  if (protocol_ >= 4) start += joined({"\x95", little_endian(bytes_.size(), 8)});
  return joined({start, bytes_});
}

std::string pickled_state_dict(int protocol, const std::vector<PickledTensor>& tensors) {
  PickleWriter pickle(protocol);
  pickle.empty_dict();
  // Protocol 0 sets one item at a time, as it has no opcode for several.
  if (protocol > 0) pickle.mark();
  for (std::size_t key = 0; key < tensors.size(); ++key) {
    pickle.text(tensors[key].name);
    tensor_call(pickle, tensors[key], key);
    if (protocol == 0) pickle.raw("s");
  }
  if (protocol > 0) pickle.set_items();
  return pickle.take();
}

std::vector<std::byte> torch_zip(int protocol, const std::vector<PickledTensor>& tensors) {
  std::vector<std::pair<std::string, std::string>> members{{"archive/data.pkl", pickled_state_dict(protocol, tensors)},
                                                           {"archive/byteorder", "little"}};
  for (std::size_t key = 0; key < tensors.size(); ++key) {
    members.emplace_back(joined({"archive/data/", std::to_string(key)}), values_of(tensors[key]));
  }
  members.emplace_back("archive/version", "3\n");
  return bytes_of(stored_zip(members));
}

std::vector<std::byte> torch_legacy(int protocol, const std::vector<PickledTensor>& tensors) {
  std::string file;
  {
    PickleWriter magic(protocol);
    // A number of more than 64 bits: in digits before protocol 2.
    magic.raw(protocol >= 2 ? std::string_view("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 12)
                            : std::string_view("L119547037146038801333356L\n"));
    file += magic.take();
    PickleWriter version(protocol);
    version.integer(1001);
    file += version.take();
    PickleWriter machine(protocol);
    machine.empty_dict();
    machine.mark();
    machine.text("protocol_version");
    machine.integer(1001);
    machine.text("little_endian");
    machine.boolean(true);
    machine.set_items();
    file += machine.take();
  }
  file += pickled_state_dict(protocol, tensors);
  PickleWriter keys(protocol);
  keys.empty_list();
  keys.mark();
  for (std::size_t key = 0; key < tensors.size(); ++key) keys.text(std::to_string(key));
  keys.append_items();
  file += keys.take();
  for (const PickledTensor& tensor : tensors)
    file += joined({little_endian(tensor.values.size(), 8), values_of(tensor)});
  return bytes_of(file);
}

}  // namespace blindspot::tests
