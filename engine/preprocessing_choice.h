// How a picture becomes a network's input: chosen from the options, the weight file's metadata, the catalogue, a
// Hugging Face folder or the family's default, in that order. Also the JSON form that weight files and results carry.
// Sees nlohmann-json.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "blindspot/catalogue.h"
#include "blindspot/model.h"

namespace blindspot {

struct PreprocessingChoice {
  Preprocessing preprocessing;
  std::string source;  ///< "the options", "the file's metadata", "the catalogue's …", "the default of …" and others
  bool assumed = false;  ///< nothing but the family's default told it
};

/// `catalogued`: the entry that the file's SHA-256 belongs to, null if there is none. `folder`: where
/// preprocessor_config.json may lie. Throws Error(input) for metadata that cannot be read, Error(usage)
/// for options that contradict each other.
PreprocessingChoice choose_preprocessing(const PreprocessingOptions& options,
                                         const std::map<std::string, std::string>& metadata,
                                         const CatalogueEntry* catalogued,
                                         const std::optional<std::filesystem::path>& folder,
                                         const Preprocessing& family_default, const std::string& family,
                                         const std::string& file_name);

/// {"input_size": 224, "resize": 256, "interpolation": "bilinear", "crop": 224, "mean": […], "std": […]}
std::string preprocessing_to_json(const Preprocessing& preprocessing);
/// Throws Error(input) naming `file_name` and the key that is wrong.
Preprocessing preprocessing_from_json(const std::string& text, const Preprocessing& defaults,
                                      const std::string& file_name);
/// The same for the document of a preprocessor_config.json; what it asks for and cannot be done here is refused.
Preprocessing preprocessing_from_hugging_face(const nlohmann::json& document, const Preprocessing& defaults,
                                              const std::string& file_name);

}  // namespace blindspot
