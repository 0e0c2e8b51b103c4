// JSON as all commands print it: floats that read back exactly, keys in a fixed order, one document and a line end.
// Uses nlohmann-json and the public headers.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "blindspot/model.h"

namespace blindspot::tools {

/// Keys stay in the order in which they were set.
using Json = nlohmann::ordered_json;

/// The shortest number that reads back as this float32; null for what is not finite.
Json exact(float value);
/// `schema`, "blindspot/NAME/1", and `version`: what every document starts with.
Json document(const std::string& name);
Json to_json(const Preprocessing& preprocessing);
/// `name`, `architecture`, `sha256` (null for weights from the rule), `weights_sha256`, `preprocessing`.
Json to_json(const ModelInformation& information);

/// Text of a document: two spaces of indentation, UTF-8 (bytes that are not are replaced), a line end.
std::string to_text(const Json& document);
/// On stdout. Throws Error(input) if stdout does not take it.
void print(const std::string& text);
/// The file in place or not at all is the folder's affair; throws Error(input) if it cannot be written.
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace blindspot::tools
