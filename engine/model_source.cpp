// Implementation of model_source.h: where a model lies, what it is, and what is recorded of it.
#include "engine/model_source.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blindspot/catalogue.h"
#include "engine/folder_configuration.h"
#include "engine/preprocessing_choice.h"
#include "engine/small_json.h"
#include "weights/demo/embedded.h"

namespace blindspot {

namespace {

namespace fs = std::filesystem;

FolderConfiguration read_folder_configuration(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!fs::exists(path)) return {};
  const JsonDocument document(read_small_json_file(path));
  return folder_configuration_from(*document, path.string());
}

/// Architecture by option, else by the file; unknown ones are refused with what to do.
Architecture architecture_of(const weights::StateDict& state, const ModelOptions& options,
                             TransformerConfiguration configuration) {
  configuration.chosen_heads = options.heads;
  if (!options.architecture.empty()) return architecture_named_for(options.architecture, state, configuration);
  std::optional<Architecture> recognised = recognise(state, configuration);
  if (!recognised) {
    throw Error(
        ErrorKind::input,
        fmt::format("{}: its tensors are of no network that blindspot knows; name it with --architecture if you "
                    "know better ({} tensors)",
                    state.name(), state.tensors().size()));
  }
  return *std::move(recognised);
}

/// Heads of a vision transformer of which nothing told their number; else 0.
std::int64_t assumed_heads(const Architecture& architecture, const weights::StateDict& state,
                           const ModelOptions& options, const TransformerConfiguration& configuration) {
  const auto* transformer = std::get_if<VisionTransformerDescription>(&architecture.description);
  if (transformer == nullptr) {
    if (!options.heads) return 0;
    throw Error(ErrorKind::usage,
                fmt::format("--heads {}: {} has no attention heads", *options.heads, architecture.name));
  }
  const bool name_tells = !architecture.name.starts_with("vit(") || options.architecture.starts_with("vit(");
  const bool told = name_tells || options.heads || configuration.heads || state.metadata().contains("heads");
  return told ? 0 : transformer->heads;
}

std::int64_t parameter_count(const weights::StateDict& state) {
  std::int64_t count = 0;
  for (const weights::TensorInformation& tensor : state.tensors()) {
    if (!tensor.name.ends_with("running_mean") && !tensor.name.ends_with("running_var")) count += tensor.count();
  }
  return count;
}

ModelSource assemble(weights::StateDict state, const ModelOptions& options, const FolderConfiguration& configuration,
                     const std::optional<fs::path>& folder, std::string sha256) {
  Architecture architecture = architecture_of(state, options, configuration.transformer);
  // First, since all that follows takes the architecture for the right one.
  state.check(architecture.name, declare(architecture));
  const CatalogueEntry* const catalogued = Catalogue::built_in().find_sha256(sha256);
  PreprocessingChoice choice =
      choose_preprocessing(options.preprocessing, state.metadata(), catalogued, folder,
                           default_preprocessing(architecture), architecture.name, state.name());
  ModelInformation information;
  information.architecture = architecture.name;
  information.sha256 = std::move(sha256);
  information.preprocessing = choice.preprocessing;
  information.preprocessing_source = std::move(choice.source);
  information.preprocessing_assumed = choice.assumed;
  information.assumed_heads = assumed_heads(architecture, state, options, configuration.transformer);
  information.class_count = architecture.classes();
  information.parameter_count = parameter_count(state);
  information.classes = classes_of_metadata(state.metadata(), state.name());
  if (information.classes.empty()) information.classes = configuration.classes;
  if (information.classes.empty() && catalogued != nullptr) information.classes = class_list(catalogued->classes);
  if (!information.classes.empty() &&
      static_cast<std::int64_t>(information.classes.size()) != information.class_count) {
    throw Error(ErrorKind::input, fmt::format("{}: names {} classes, but the network has {}", state.name(),
                                              information.classes.size(), information.class_count));
  }
  return {std::move(state), std::move(architecture), std::move(information)};
}

ModelSource open_rule(const std::string& name, const ModelOptions& options) {
  weights::StateDict state =
      rule_state({name, architecture_named(name).description}, options.rule_seed, options.cancelled);
  ModelOptions named = options;
  named.architecture = name;
  return assemble(std::move(state), named, {}, std::nullopt, "");
}

ModelSource open_file(const fs::path& path, const ModelOptions& options, const std::optional<fs::path>& folder = {}) {
  auto file = std::make_shared<const weights::WeightFile>(weights::WeightFile::open(path, options.cancelled));
  const FolderConfiguration configuration = folder ? read_folder_configuration(*folder) : FolderConfiguration{};
  std::string sha256 = file->sha256(options.cancelled);
  return assemble(weights::StateDict::from_file(std::move(file), options.cancelled), options, configuration, folder,
                  std::move(sha256));
}

/// A folder as Hugging Face lays it out.
ModelSource open_folder(const fs::path& folder, const ModelOptions& options) {
  const fs::path file = folder / "model.safetensors";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    throw Error(ErrorKind::input, fmt::format("{}: a folder without model.safetensors", folder.string()));
  }
  return open_file(file, options, folder);
}

/// What lies under the name, or under the catalogue's own name for it, in the weight folder.
std::optional<ModelSource> open_known(const std::string& name, const CatalogueEntry* entry,
                                      const ModelOptions& options) {
  fs::path found = find_weights(weight_folder(), name);
  if (found.empty() && entry != nullptr) found = find_weights(weight_folder(), entry->name);
  if (found.empty()) return std::nullopt;
  std::error_code ignored;
  return fs::is_directory(found, ignored) ? open_folder(found, options) : open_file(found, options);
}

[[noreturn]] void refuse_absent(const std::string& model, const CatalogueEntry* entry) {
  const std::string folder = weight_folder().string();
  if (entry == nullptr) {
    throw Error(ErrorKind::input, fmt::format("{}: no such file, and no network of that name in {} (built in: "
                                              "demo-resnet, demo-vit; blindspot weights list shows what can be had)",
                                              model, folder));
  }
  if (entry->address.empty()) {
    throw Error(ErrorKind::input, fmt::format("{}: is not in {}, and no address of it is known; with the published "
                                              "file, blindspot weights fetch {} --from FILE puts it there",
                                              model, folder, entry->name));
  }
  throw Error(ErrorKind::input, fmt::format("{}: is not in {} yet; blindspot weights fetch {} gets it from {}", model,
                                            folder, entry->name, entry->address));
}

}  // namespace

ModelSource model_source_of(std::shared_ptr<const weights::WeightFile> file, const ModelOptions& options) {
  std::string sha256 = file->sha256(options.cancelled);
  return assemble(weights::StateDict::from_file(std::move(file), options.cancelled), options, {}, std::nullopt,
                  std::move(sha256));
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
  if (fs::is_directory(path, ignored)) return named(open_folder(path, options));
  if (fs::exists(path, ignored)) return named(open_file(path, options));
  const CatalogueEntry* const entry = Catalogue::built_in().find(model);
  if (auto known = open_known(model, entry, options)) return named(*std::move(known));
  refuse_absent(model, entry);
}

}  // namespace blindspot
