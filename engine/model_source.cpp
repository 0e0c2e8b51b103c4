// Implementation of model_source.h: where a model lies, what it is, and what is recorded of it.
#include "engine/model_source.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/preprocessing_choice.h"
#include "weights/demo/embedded.h"

namespace blindspot {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What a Hugging Face folder's config.json adds to the tensors.
struct FolderConfiguration {
  std::optional<float> layer_norm_epsilon;
  std::optional<std::int64_t> heads;
  std::vector<std::string> classes;
};

fs::path weight_folder() {
  if (const char* folder = std::getenv("BLINDSPOT_WEIGHTS"); folder != nullptr && *folder != '\0') return folder;
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return fs::path(data) / "blindspot" / "weights";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / ".local" / "share" / "blindspot" / "weights";
}

FolderConfiguration read_folder_configuration(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  FolderConfiguration configuration;
  if (!fs::exists(path)) return configuration;
  std::ifstream stream(path, std::ios::binary);
  const json document = json::parse(std::string((std::istreambuf_iterator<char>(stream)),
                                                std::istreambuf_iterator<char>()), nullptr, false);
  if (!document.is_object()) throw Error(ErrorKind::input, fmt::format("{}: is not a JSON object", path.string()));
  // transformers' own default where the file is silent.
  configuration.layer_norm_epsilon = 1e-12F;
  if (document.contains("layer_norm_eps")) {
    if (!document["layer_norm_eps"].is_number()) {
      throw Error(ErrorKind::input, fmt::format("{}: `layer_norm_eps` is not a number", path.string()));
    }
    configuration.layer_norm_epsilon = document["layer_norm_eps"].get<float>();
  }
  if (document.contains("num_attention_heads") && document["num_attention_heads"].is_number_integer()) {
    configuration.heads = document["num_attention_heads"].get<std::int64_t>();
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
  }
  return configuration;
}

std::vector<std::string> classes_of_metadata(const std::map<std::string, std::string>& metadata,
                                             const std::string& file) {
  const auto written = metadata.find("classes");
  if (written == metadata.end()) return {};
  const json list = json::parse(written->second, nullptr, false);
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

/// Architecture by option, else by the file; unknown ones are refused with what to do.
Architecture architecture_of(const weights::StateDict& state, const ModelOptions& options,
                             const FolderConfiguration& configuration) {
  if (!options.architecture.empty()) return architecture_named_for(options.architecture, state);
  std::optional<Architecture> recognised = recognise(state, configuration.layer_norm_epsilon);
  if (!recognised) {
    throw Error(ErrorKind::input,
                fmt::format("{}: its tensors are of no network that blindspot knows; name it with --architecture if you "
                            "know better ({} tensors)", state.name(), state.tensors().size()));
  }
  if (auto* transformer = std::get_if<VisionTransformerDescription>(&recognised->description);
      transformer != nullptr && configuration.heads) {
    transformer->heads = *configuration.heads;
  }
  return *std::move(recognised);
}

ModelSource assemble(weights::StateDict state, const ModelOptions& options, const FolderConfiguration& configuration,
                     const std::optional<fs::path>& folder, std::string sha256) {
  Architecture architecture = architecture_of(state, options, configuration);
  PreprocessingChoice choice =
      choose_preprocessing(options.preprocessing, state.metadata(), folder, default_preprocessing(architecture),
                           architecture.name, state.name());
  ModelInformation information;
  information.architecture = architecture.name;
  information.sha256 = std::move(sha256);
  information.preprocessing = choice.preprocessing;
  information.preprocessing_source = std::move(choice.source);
  information.preprocessing_assumed = choice.assumed;
  information.class_count = architecture.classes();
  information.classes = classes_of_metadata(state.metadata(), state.name());
  if (information.classes.empty()) information.classes = configuration.classes;
  if (!information.classes.empty() &&
      static_cast<std::int64_t>(information.classes.size()) != information.class_count) {
    throw Error(ErrorKind::input, fmt::format("{}: names {} classes, but the network has {}", state.name(),
                                              information.classes.size(), information.class_count));
  }
  return {std::move(state), std::move(architecture), std::move(information)};
}

ModelSource open_rule(const std::string& name, const ModelOptions& options) {
  Architecture architecture = architecture_named(name);
  const weights::RuleGains gains = rule_gains(architecture);
  const std::uint64_t seed = options.rule_seed;
  weights::StateDict state = weights::StateDict::from_rule(
      fmt::format("rule:{} seed {}", name, seed), declare(architecture),
      [gains, seed](const weights::TensorDeclaration& tensor) { return weights::rule_tensor(tensor, seed, gains); });
  ModelOptions named = options;
  named.architecture = name;
  return assemble(std::move(state), named, {}, std::nullopt, "");
}

ModelSource open_file(const fs::path& path, const std::optional<fs::path>& folder, const ModelOptions& options) {
  auto file = std::make_shared<const weights::WeightFile>(weights::WeightFile::open(path));
  const FolderConfiguration configuration = folder ? read_folder_configuration(*folder) : FolderConfiguration{};
  std::string sha256 = file->sha256();
  return assemble(weights::StateDict::from_file(std::move(file)), options, configuration, folder, std::move(sha256));
}

}  // namespace

ModelSource model_source_of(std::shared_ptr<const weights::WeightFile> file, const ModelOptions& options) {
  std::string sha256 = file->sha256();
  return assemble(weights::StateDict::from_file(std::move(file)), options, {}, std::nullopt, std::move(sha256));
}

ModelSource open_model_source(const std::string& model, const ModelOptions& options) {
  const auto named = [&](ModelSource source) {
    source.information.name = model;
    return source;
  };
  if (model.starts_with("rule:")) return named(open_rule(model.substr(5), options));
  if (const auto bytes = weights::embedded_weights(model); !bytes.empty()) {
    return named(model_source_of(
        std::make_shared<const weights::WeightFile>(weights::WeightFile::from_memory(model, bytes)), options));
  }
  std::error_code ignored;
  const fs::path path(model);
  if (fs::is_directory(path, ignored)) {
    const fs::path file = path / "model.safetensors";
    if (!fs::exists(file, ignored)) {
      throw Error(ErrorKind::input, fmt::format("{}: a folder without model.safetensors", model));
    }
    return named(open_file(file, path, options));
  }
  if (fs::exists(path, ignored)) return named(open_file(path, std::nullopt, options));
  if (model.find('/') == std::string::npos) {
    const fs::path known = weight_folder() / (model + ".safetensors");
    if (fs::exists(known, ignored)) return named(open_file(known, std::nullopt, options));
  }
  throw Error(ErrorKind::input,
              fmt::format("{}: no such file, and no network of that name in {} (built in: demo-resnet, demo-vit)", model,
                          weight_folder().string()));
}

}  // namespace blindspot
