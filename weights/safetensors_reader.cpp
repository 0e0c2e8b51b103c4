// The safetensors format: eight bytes of header length, a JSON header, data without holes. Uses nlohmann-json's event
// parser, which neither recurses nor keeps what it reads.
#include "weights/safetensors_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "nlohmann/json.hpp"
#include "weights/message.h"

namespace blindspot::weights {
namespace {

// Far beyond any network; they bound the memory that a header of few bytes or of many makes us use.
constexpr std::uint64_t longest_header = std::uint64_t{16} << 20;
constexpr std::size_t longest_name = 4096;
constexpr std::size_t most_entry_bytes = std::size_t{24} << 20;
// What a piece of metadata takes in the map, beside its text.
constexpr std::size_t metadata_entry_bytes = 128;

struct HeaderEntry {
  TensorInformation information;
  std::uint64_t begin = 0, end = 0;
};

/// Receives the header's JSON as events and refuses the first that does not belong there.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(std::string_view file) : file_(file) {}

  std::vector<HeaderEntry> take_entries() { return std::move(entries_); }
  std::map<std::string, std::string> take_metadata() { return std::move(metadata_); }

  bool null() override { unexpected("null"); }
  bool boolean(bool /*value*/) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { unexpected("a negative number"); }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    unexpected(fmt::format("the number {}, which is not whole or too large,", printable(text)));
  }
  bool binary(binary_t& /*value*/) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::array) unexpected(fmt::format("the number {}", value));
    if (value > static_cast<std::uint64_t>(INT64_MAX)) unexpected(fmt::format("the number {}", value));
    if (key_ == "shape") {
      auto& shape = entries_.back().information.shape;
      if (shape.size() == highest_rank) refuse_tensor(fmt::format("has more than {} dimensions", highest_rank));
      charge(2 * sizeof(std::int64_t));
      shape.push_back(static_cast<std::int64_t>(value));
    } else if (offsets_++ < 2) {
      (offsets_ == 1 ? entries_.back().begin : entries_.back().end) = value;
    } else {
      refuse_tensor("has more than two data_offsets");
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      charge(metadata_entry_bytes + 2 * (key_.size() + value.size()));
      if (!metadata_.emplace(key_, value).second) {
        refuse(file_, fmt::format("the metadata key {} occurs twice", printable(key_)));
      }
      return true;
    }
    if (place_ != Place::tensor || key_ != "dtype") unexpected(fmt::format("the string \"{}\"", printable(value)));
    const auto type = element_type_named(value);
    if (!type) refuse_tensor(fmt::format("has the unknown dtype {}", printable(value)));
    entries_.back().information.type = *type;
    return true;
  }

  bool start_object(std::size_t /*elements*/) override {
    if (place_ == Place::outside) {
      place_ = Place::header;
    } else if (place_ == Place::header && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::header) {
      charge(sizeof(HeaderEntry) + sizeof(NamedTensor) + 2 * key_.size());
      entries_.emplace_back().information.name = key_;
      place_ = Place::tensor;
      has_dtype_ = has_shape_ = has_offsets_ = false;
      offsets_ = 0;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_) refuse_tensor("lacks dtype, shape or data_offsets");
      if (offsets_ != 2) refuse_tensor("does not have two data_offsets");
    }
    place_ = place_ == Place::header ? Place::outside : Place::header;
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (place_ != Place::tensor || key_ == "dtype") unexpected("an array");
    place_ = Place::array;
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool key(string_t& value) override {
    if (value.size() > longest_name) {
      refuse(file_, fmt::format("the name {} in its header is longer than {} bytes", printable(value), longest_name));
    }
    if (place_ == Place::header && !names_.insert(value).second) {
      refuse(file_, fmt::format("the tensor {} occurs twice", printable(value)));
    }
    if (place_ == Place::tensor) {
      bool* const seen = value == "dtype"          ? &has_dtype_
                         : value == "shape"        ? &has_shape_
                         : value == "data_offsets" ? &has_offsets_
                                                   : nullptr;
      if (seen == nullptr) refuse_tensor(fmt::format("has the unknown field {}", printable(value)));
      if (std::exchange(*seen, true)) refuse_tensor(fmt::format("has {} twice", value));
    }
    key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    const std::string_view message = error.what();
    const std::size_t cause = message.rfind(": ");
    refuse(file_, fmt::format("the safetensors header is no JSON at byte {}{}", position,
                              cause == std::string_view::npos ? "" : printable(message.substr(cause))));
  }

 private:
  enum class Place : std::uint8_t { outside, header, metadata, tensor, array };

  /// Counts memory that is held until the file is closed, most of it twice while the header is read.
  void charge(std::size_t bytes) {
    charged_ += bytes;
    if (charged_ > most_entry_bytes) {
      refuse(file_, fmt::format("its header describes more than {} MiB of names, shapes and metadata, which no network "
                                "has",
                                most_entry_bytes >> 20));
    }
  }

  [[noreturn]] void unexpected(std::string_view what) const {
    const std::string_view where = place_ == Place::outside    ? "the safetensors header is not an object:"
                                   : place_ == Place::metadata ? "__metadata__ may hold strings only:"
                                                               : "the safetensors header is malformed:";
    if (place_ == Place::tensor || place_ == Place::array) {
      refuse_tensor(fmt::format("has {} in its header entry, {}", what, key_));
    }
    refuse(file_, fmt::format("{} {} at key \"{}\"", where, what, printable(key_)));
  }

  [[noreturn]] void refuse_tensor(std::string_view what) const {
    refuse(file_, fmt::format("tensor {} {}", printable(entries_.back().information.name), what));
  }

  std::string_view file_;
  Place place_ = Place::outside;
  std::string key_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int offsets_ = 0;
  std::size_t charged_ = 0;
  std::unordered_set<std::string> names_;
  std::vector<HeaderEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

std::uint64_t header_length(std::string_view file, std::span<const std::byte> bytes) {
  if (bytes.size() < 8) refuse(file, fmt::format("is cut off: {} bytes are no safetensors file", bytes.size()));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > bytes.size() - 8) {
    refuse(file, fmt::format("is cut off or no safetensors file: it says that its header has {} bytes, {} follow",
                             length, bytes.size() - 8));
  }
  if (length > longest_header) refuse(file, fmt::format("its header of {} bytes is too long", length));
  return length;
}

void check_extent(std::string_view file, const HeaderEntry& entry, std::uint64_t data_size) {
  const TensorInformation& tensor = entry.information;
  if (entry.begin > entry.end || entry.end > data_size) {
    refuse(file, fmt::format("tensor {} lies at bytes {} to {} of {} bytes of data", printable(tensor.name),
                             entry.begin, entry.end, data_size));
  }
  const auto count = checked_count(tensor.shape);
  std::int64_t size = 0;
  if (!count || __builtin_mul_overflow(*count, size_of(tensor.type), &size)) {
    refuse(file, fmt::format("the shape of tensor {} is too large", printable(tensor.name)));
  }
  if (static_cast<std::uint64_t>(size) != entry.end - entry.begin) {
    refuse(file,
           fmt::format("tensor {} needs {} bytes and has {}", printable(tensor.name), size, entry.end - entry.begin));
  }
}

/// Tensors in the order of their bytes must cover the data exactly.
void check_coverage(std::string_view file, std::vector<HeaderEntry>& entries, std::uint64_t data_size) {
  std::sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t covered = 0;
  for (const HeaderEntry& entry : entries) {
    if (entry.begin != covered) {
      refuse(file, fmt::format("tensor {} starts at byte {} of the data, where byte {} comes next: tensors overlap or "
                               "leave a hole",
                               printable(entry.information.name), entry.begin, covered));
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    refuse(file, fmt::format("{} bytes follow behind the last tensor", data_size - covered));
  }
}

}  // namespace

ParsedFile read_safetensors(std::string_view file, std::span<const std::byte> bytes) {
  const std::uint64_t length = header_length(file, bytes);
  const auto* const header = reinterpret_cast<const char*>(bytes.data()) + 8;
  const auto data = bytes.subspan(8 + static_cast<std::size_t>(length));

  HeaderEvents events(file);
  if (!nlohmann::json::sax_parse(header, header + length, &events)) refuse(file, "the safetensors header is malformed");
  std::vector<HeaderEntry> entries = events.take_entries();
  for (const HeaderEntry& entry : entries) check_extent(file, entry, data.size());
  check_coverage(file, entries, data.size());

  ParsedFile parsed;
  parsed.format = "safetensors";
  parsed.metadata = events.take_metadata();
  parsed.tensors.reserve(entries.size());
  for (HeaderEntry& entry : entries) {
    TensorView view;
    view.storage =
        data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin));
    parsed.tensors.push_back({std::move(entry.information), std::move(view)});
  }
  return parsed;
}

}  // namespace blindspot::weights
