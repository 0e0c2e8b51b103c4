// Preprocessing as JSON: the form that weight files, the catalogue and run databases carry, and the reading of a
// Hugging Face folder's preprocessor_config.json or, by timm, config.json, from texts that anyone may have written.
// Sees small_json.h and nlohmann-json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "blindspot/image.h"

namespace blindspot {

/// {"input_size": 224, "resize": 256, "interpolation": "bilinear", "crop": 224, "mean": […], "std": […]}
std::string preprocessing_to_json(const Preprocessing& preprocessing);
/// Throws Error(input) naming `file_name` and the key that is wrong.
Preprocessing preprocessing_from_json(const std::string& text, const Preprocessing& defaults,
                                      const std::string& file_name);
/// The same for the document of a preprocessor_config.json; what it asks for and cannot be done here is refused.
Preprocessing preprocessing_from_hugging_face(const nlohmann::json& document, const Preprocessing& defaults,
                                              const std::string& file_name);
/// The same for the `pretrained_cfg` that timm writes into a config.json, as timm evaluates; nothing where there is
/// none.
std::optional<Preprocessing> preprocessing_from_timm(const nlohmann::json& document, const Preprocessing& defaults,
                                                     const std::string& file_name);

}  // namespace blindspot
