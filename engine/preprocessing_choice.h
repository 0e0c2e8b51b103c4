// How a picture becomes a network's input: chosen from the options, the weight file's metadata, the catalogue, a
// Hugging Face folder or the family's default, in that order. Sees preprocessing_json.h and small_json.h.
#pragma once

#include <filesystem>
#include <map>
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
/// preprocessor_config.json may lie, or a config.json that timm wrote. Throws Error(input) for metadata that cannot be
/// read, Error(usage) for options that contradict each other.
PreprocessingChoice choose_preprocessing(const PreprocessingOptions& options,
                                         const std::map<std::string, std::string>& metadata,
                                         const CatalogueEntry* catalogued,
                                         const std::optional<std::filesystem::path>& folder,
                                         const Preprocessing& family_default, const std::string& family,
                                         const std::string& file_name);

}  // namespace blindspot
