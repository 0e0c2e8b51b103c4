// JSON from files and metadata that anyone may have written: bounded in length and depth before it becomes a document
// in memory. Sees nlohmann-json and error.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace blindspot {

/// Room for the names of some 21,000 classes, twice.
inline constexpr std::size_t longest_small_json = std::size_t{4} << 20;
/// Of arrays, objects, keys and all else, of which a Hugging Face config of 21,000 classes has 87,000; some take a
/// hundred times their text in memory.
inline constexpr std::size_t most_small_json_values = 200'000;
inline constexpr int deepest_small_json = 32;

/// Owns a document and takes it apart from the leaves on: nlohmann-json's own destructor asks for memory, and where
/// there is none left nothing stops its exception before it ends the process.
class JsonDocument {
 public:
  explicit JsonDocument(nlohmann::json value) : value_(std::move(value)) {}
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  ~JsonDocument();

  const nlohmann::json& operator*() const { return value_; }
  nlohmann::json& operator*() { return value_; }

 private:
  nlohmann::json value_;
};

/// `what` stands in front of the message: "file: the metadata's `classes`". Throws Error(input) for text that is longer
/// than longest_small_json bytes, nested deeper than deepest_small_json, of more than most_small_json_values or no
/// JSON.
nlohmann::json parse_bounded(std::string_view text, const std::string& what);
/// The same for a regular file of at most longest_small_json bytes.
nlohmann::json read_small_json_file(const std::filesystem::path& path);

}  // namespace blindspot
