// A JSON document that somebody else wrote, read piece by piece with messages that name the file and the key. Uses
// json_output.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/json_output.h"

namespace blindspot::tools {

/// Throws Error(input) for a file that cannot be read or is not JSON. `hint` follows a file that is missing.
Json parse_document(const std::filesystem::path& path, const std::string& hint = "; is this the folder of a result?");

/// A document or a part of it, which must outlive this. All that read throw Error(input) naming file and key.
class DocumentNode {
 public:
  DocumentNode(const Json& value, std::string file, std::string where)
      : value_(value), file_(std::move(file)), where_(std::move(where)) {}

  bool has(const std::string& key) const { return value_.is_object() && value_.contains(key); }
  bool is_null() const { return value_.is_null(); }
  DocumentNode at(const std::string& key) const;
  /// Throws unless its `schema` is this one.
  void require_schema(const std::string& schema) const;
  std::vector<DocumentNode> elements() const;
  std::string text() const;
  double number() const;
  /// null is what a number that is none is written as.
  double number_or_nan() const;
  /// null: none.
  std::optional<double> number_or_none() const;
  /// From 0 to 1, or NaN.
  double probability() const;
  int whole(std::int64_t smallest, std::int64_t largest) const;
  bool flag() const;
  const Json& value() const { return value_; }

  [[noreturn]] void refuse(const std::string& what) const { refuse_part(where_, what); }

 private:
  [[noreturn]] void refuse_part(const std::string& where, const std::string& what) const;

  const Json& value_;
  std::string file_, where_;
};

}  // namespace blindspot::tools
