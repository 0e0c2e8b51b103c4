// Implementation of document_node.h.
#include "tools/document_node.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <system_error>

namespace blindspot::tools {

Json parse_document(const std::filesystem::path& path, const std::string& hint) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a folder, not a JSON file{}", path.string(), hint));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) refuse_short_memory({errno, std::generic_category()});
  if (!stream) throw Error(ErrorKind::input, fmt::format("{}: cannot be read{}", path.string(), hint));
  // read(), for the parser lets the exception out with which libstdc++ reports what the disk refuses.
  std::string text;
  std::array<char, 65536> part{};
  while (stream) {
    stream.read(part.data(), part.size());
    text.append(part.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) throw Error(ErrorKind::input, fmt::format("{}: cannot be read to its end", path.string()));
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) throw Error(ErrorKind::input, fmt::format("{}: is not JSON", path.string()));
  return document;
}

DocumentNode DocumentNode::at(const std::string& key) const {
  const std::string where = where_.empty() ? key : where_ + "." + key;
  if (!has(key)) refuse_part(where, "is missing");
  return {value_[key], file_, where};
}

void DocumentNode::require_schema(const std::string& schema) const {
  const DocumentNode node = at("schema");
  const std::string found = node.text();
  if (found != schema) node.refuse(fmt::format("is {}, not {}", found, schema));
}

std::vector<DocumentNode> DocumentNode::elements() const {
  if (!value_.is_array()) refuse("is not a list");
  std::vector<DocumentNode> nodes;
  for (std::size_t i = 0; i < value_.size(); ++i) {
    nodes.emplace_back(value_[i], file_, fmt::format("{}[{}]", where_, i));
  }
  return nodes;
}

std::string DocumentNode::text() const {
  if (!value_.is_string()) refuse("is not a text");
  return value_.get<std::string>();
}

double DocumentNode::number() const {
  if (!value_.is_number()) refuse("is not a number");
  const auto number = value_.get<double>();
  if (!std::isfinite(static_cast<float>(number))) refuse("is beyond the range of float32");
  return number;
}

double DocumentNode::number_or_nan() const {
  return value_.is_null() ? std::numeric_limits<double>::quiet_NaN() : number();
}

std::optional<double> DocumentNode::number_or_none() const {
  return value_.is_null() ? std::nullopt : std::optional(number());
}

double DocumentNode::probability() const {
  const double value = number_or_nan();
  if (value < 0 || value > 1) refuse("is not from 0 to 1");
  return value;
}

int DocumentNode::whole(std::int64_t smallest, std::int64_t largest) const {
  if (!value_.is_number_integer()) refuse("is not a whole number");
  const auto number = value_.get<std::int64_t>();
  if (number < smallest || number > largest) refuse(fmt::format("is not from {} to {}", smallest, largest));
  return static_cast<int>(number);
}

bool DocumentNode::flag() const {
  if (!value_.is_boolean()) refuse("is neither true nor false");
  return value_.get<bool>();
}

void DocumentNode::refuse_part(const std::string& where, const std::string& what) const {
  throw Error(ErrorKind::input, fmt::format("{}: `{}` {}", file_, where, what));
}

}  // namespace blindspot::tools
