// Implementation of folder_configuration.h.
#include "engine/folder_configuration.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/small_json.h"

namespace blindspot {

using nlohmann::json;

FolderConfiguration folder_configuration_from(const json& document, const std::string& file) {
  FolderConfiguration configuration;
  if (!document.is_object()) throw Error(ErrorKind::input, fmt::format("{}: is not a JSON object", file));
  configuration.transformer.file = file;
  if (document.contains("layer_norm_eps")) {
    if (!document["layer_norm_eps"].is_number()) {
      throw Error(ErrorKind::input, fmt::format("{}: `layer_norm_eps` is not a number", file));
    }
    configuration.transformer.layer_norm_epsilon = document["layer_norm_eps"].get<float>();
  }
  if (document.contains("num_attention_heads")) {
    if (!document["num_attention_heads"].is_number_integer()) {
      throw Error(ErrorKind::input, fmt::format("{}: `num_attention_heads` is not a whole number", file));
    }
    configuration.transformer.heads = document["num_attention_heads"].get<std::int64_t>();
  }
  if (document.contains("id2label") && document["id2label"].is_object()) {
    const json& labels = document["id2label"];
    for (std::size_t k = 0; k < labels.size(); ++k) {
      const auto label = labels.find(std::to_string(k));
      if (label == labels.end() || !label->is_string()) {
        configuration.classes.clear();
        break;
      }
      configuration.classes.push_back(label->get<std::string>());
    }
  } else if (document.contains("label_names") && document["label_names"].is_array()) {  // timm's
    for (const json& name : document["label_names"]) {
      if (!name.is_string()) {
        configuration.classes.clear();
        break;
      }
      configuration.classes.push_back(name.get<std::string>());
    }
  }
  return configuration;
}

std::vector<std::string> classes_of_metadata(const std::map<std::string, std::string>& metadata,
                                             const std::string& file) {
  const auto written = metadata.find("classes");
  if (written == metadata.end()) return {};
  const JsonDocument document(parse_bounded(written->second, fmt::format("{}: the metadata's `classes`", file)));
  const json& list = *document;
  std::vector<std::string> classes;
  if (list.is_array()) {
    for (const json& name : list) {
      if (name.is_string()) classes.push_back(name.get<std::string>());
    }
  }
  if (!list.is_array() || classes.size() != list.size()) {
    throw Error(ErrorKind::input, fmt::format("{}: the metadata's `classes` is not a JSON list of names", file));
  }
  return classes;
}

}  // namespace blindspot
