// Implementation of small_json.h. Depth and values are counted over the bytes, since the parser would build the
// document first.
#include "engine/small_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <new>
#include <system_error>

#include "blindspot/error.h"

namespace blindspot {

namespace {

struct Extent {
  int deepest = 0;         ///< most arrays and objects open at once
  std::size_t values = 1;  ///< no fewer than there are
};

/// Brackets and commas within strings do not count.
Extent extent_of(std::string_view text) {
  int depth = 0;
  Extent extent;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      extent.deepest = std::max(extent.deepest, ++depth);
      ++extent.values;
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    } else if (!in_string && (c == ',' || c == ':')) {
      ++extent.values;
    }
  }
  return extent;
}

[[noreturn]] void refuse_length(const std::string& what) {
  throw Error(ErrorKind::input, fmt::format("{} is longer than {} bytes", what, longest_small_json));
}

[[noreturn]] void refuse_by_errno(const std::string& name) {
  const std::string reason = reason_of({errno, std::generic_category()});
  throw Error(ErrorKind::input, fmt::format("{}: cannot be read: {}", name, reason));
}

/// Leaves nothing that has elements. As deep as documents may be nested, which is not deep.
void take_apart(nlohmann::json& value) {
  if (!value.is_structured()) return;
  for (nlohmann::json& element : value) take_apart(element);
  value.clear();
}

}  // namespace

JsonDocument::~JsonDocument() {
  take_apart(value_);
}

nlohmann::json parse_bounded(std::string_view text, const std::string& what) {
  if (text.size() > longest_small_json) refuse_length(what);
  const Extent extent = extent_of(text);
  if (extent.deepest > deepest_small_json) {
    throw Error(ErrorKind::input, fmt::format("{} is JSON nested deeper than {} levels", what, deepest_small_json));
  }
  if (extent.values > most_small_json_values) {
    throw Error(ErrorKind::input, fmt::format("{} holds more than {} values", what, most_small_json_values));
  }
  nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) throw Error(ErrorKind::input, fmt::format("{} is not JSON", what));
  return document;
}

nlohmann::json read_small_json_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw Error(ErrorKind::input, fmt::format("{}: is not a regular file", name));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) refuse_by_errno(name);
  // One byte more than allowed tells a file that is too long, also one that grows.
  std::string text(longest_small_json + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) refuse_by_errno(name);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_bounded(text, name + ": the file");
}

}  // namespace blindspot
