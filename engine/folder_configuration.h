// What config.json of a Hugging Face folder and a weight file's metadata say of a network: heads, epsilon, names of the
// classes. From texts that anyone may have written. Sees small_json.h, networks and nlohmann-json.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/networks/architecture.h"

namespace blindspot {

/// What a Hugging Face folder's config.json adds to the tensors.
struct FolderConfiguration {
  TransformerConfiguration transformer;
  std::vector<std::string> classes;
};

/// Of the document of a config.json called `file`. Throws Error(input) naming the file and the key that is wrong.
FolderConfiguration folder_configuration_from(const nlohmann::json& document, const std::string& file);

/// Names of the classes, from the metadata's `classes`; empty if there is none. Throws Error(input) naming `file`.
std::vector<std::string> classes_of_metadata(const std::map<std::string, std::string>& metadata,
                                             const std::string& file);

}  // namespace blindspot
