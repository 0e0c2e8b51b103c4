// JSON from files and metadata that anyone may have written: bounded in length and depth before it becomes a document
// in memory. Sees nlohmann-json and error.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace blindspot {

/// Room for the names of some 21,000 classes; a document takes up to about 30 times its text in memory.
inline constexpr std::size_t longest_small_json = std::size_t{4} << 20;
inline constexpr int deepest_small_json = 32;

/// `what` stands in front of the message: "file: the metadata's `classes`". Throws Error(input) for text that is longer
/// than longest_small_json bytes, nested deeper than deepest_small_json or no JSON.
nlohmann::json parse_bounded(std::string_view text, const std::string& what);
/// The same for a regular file of at most longest_small_json bytes.
nlohmann::json read_small_json_file(const std::filesystem::path& path);

}  // namespace blindspot
