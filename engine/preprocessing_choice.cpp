// Implementation of preprocessing_choice.h.
#include "engine/preprocessing_choice.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/preprocessing_json.h"
#include "engine/small_json.h"

namespace blindspot {

namespace {

void check_sizes(const Preprocessing& chosen) {
  if (chosen.input_size != chosen.crop) {
    throw Error(ErrorKind::usage, fmt::format("--input-size {} and --crop {}: the network's input is the crop, so both "
                                              "must be equal",
                                              chosen.input_size, chosen.crop));
  }
  if (chosen.resize != 0 && chosen.resize < chosen.crop) {
    throw Error(ErrorKind::usage,
                fmt::format("--resize {}: it must be at least the crop ({}), or 0 to resize both sides "
                            "to the crop",
                            chosen.resize, chosen.crop));
  }
  for (const float mean : chosen.mean) {
    if (!std::isfinite(mean)) throw Error(ErrorKind::usage, fmt::format("--mean: {} is not a number", mean));
  }
  for (const float deviation : chosen.deviation) {
    if (!(deviation > 0) || !std::isfinite(deviation)) {
      throw Error(ErrorKind::usage, fmt::format("--std: {} is not a positive number", deviation));
    }
  }
}

void apply_options(const PreprocessingOptions& options, Preprocessing& chosen) {
  if (options.input_size || options.crop) {
    const int size = options.input_size ? *options.input_size : *options.crop;
    // The share of the picture that the crop keeps stays what it was.
    if (chosen.resize != 0) {
      chosen.resize = static_cast<int>(std::lround(static_cast<double>(size) * chosen.resize / chosen.crop));
    }
    chosen.input_size = size;
    chosen.crop = options.crop.value_or(size);
  }
  if (options.resize) chosen.resize = *options.resize;
  if (options.interpolation) chosen.interpolation = *options.interpolation;
  if (options.mean) chosen.mean = *options.mean;
  if (options.deviation) chosen.deviation = *options.deviation;
}

/// transformers' preprocessor_config.json goes before what timm writes into config.json.
std::optional<PreprocessingChoice> written_in_folder(const std::filesystem::path& folder,
                                                     const Preprocessing& family_default) {
  if (const auto file = folder / "preprocessor_config.json"; std::filesystem::exists(file)) {
    const JsonDocument document(read_small_json_file(file));
    return PreprocessingChoice{preprocessing_from_hugging_face(*document, family_default, file.string()),
                               "preprocessor_config.json", false};
  }
  const auto file = folder / "config.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const JsonDocument document(read_small_json_file(file));
  const auto written = preprocessing_from_timm(*document, family_default, file.string());
  if (!written) return std::nullopt;
  return PreprocessingChoice{*written, "config.json", false};
}

}  // namespace

PreprocessingChoice choose_preprocessing(const PreprocessingOptions& options,
                                         const std::map<std::string, std::string>& metadata,
                                         const CatalogueEntry* catalogued,
                                         const std::optional<std::filesystem::path>& folder,
                                         const Preprocessing& family_default, const std::string& family,
                                         const std::string& file_name) {
  PreprocessingChoice choice{family_default, fmt::format("the default of {}", family), true};
  const auto written = metadata.find("preprocessing");
  if (written != metadata.end()) {
    choice = {preprocessing_from_json(written->second, family_default, file_name), "the weight file's metadata", false};
  } else if (catalogued != nullptr && catalogued->preprocessing) {
    choice = {*catalogued->preprocessing, fmt::format("the catalogue's {}", catalogued->name), false};
  } else if (folder) {
    choice = written_in_folder(*folder, family_default).value_or(choice);
  }
  const bool has_options = options.mean || options.deviation || options.input_size || options.resize || options.crop ||
                           options.interpolation;
  if (has_options) {
    apply_options(options, choice.preprocessing);
    choice.source = fmt::format("the options and {}", choice.source);
    choice.assumed = choice.assumed && !(options.mean && options.deviation && (options.resize || options.input_size));
    check_sizes(choice.preprocessing);
  }
  return choice;
}

}  // namespace blindspot
