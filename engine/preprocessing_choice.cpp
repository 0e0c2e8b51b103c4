// Implementation of preprocessing_choice.h.
#include "engine/preprocessing_choice.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace blindspot {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw Error(ErrorKind::input, fmt::format("{}: preprocessing: {}", file, what));
}

int read_size(const json& value, const std::string& key, int smallest, const std::string& file) {
  if (!value.is_number_integer()) refuse(file, fmt::format("`{}` is not a whole number", key));
  const auto number = value.get<std::int64_t>();
  if (number < smallest || number > 65535) {
    refuse(file, fmt::format("`{}` is {}, it must be between {} and 65535", key, number, smallest));
  }
  return static_cast<int>(number);
}

std::array<float, 3> read_channels(const json& value, const std::string& key, const std::string& file) {
  if (!value.is_array() || value.size() != 3) refuse(file, fmt::format("`{}` is not a list of three numbers", key));
  std::array<float, 3> channels{};
  for (std::size_t c = 0; c < 3; ++c) {
    if (!value[c].is_number()) refuse(file, fmt::format("`{}` is not a list of three numbers", key));
    channels[c] = value[c].get<float>();
    if (!std::isfinite(channels[c])) refuse(file, fmt::format("`{}` holds a number that is not finite", key));
  }
  return channels;
}

Interpolation read_interpolation(const json& value, const std::string& file) {
  if (value == "bilinear") return Interpolation::bilinear;
  if (value == "bicubic") return Interpolation::bicubic;
  refuse(file, "`interpolation` is neither \"bilinear\" nor \"bicubic\"");
}

json parse(const std::string& text, const std::string& file) {
  json document = json::parse(text, nullptr, false);
  if (!document.is_object()) refuse(file, "is not a JSON object");
  return document;
}

/// Hugging Face's preprocessor_config.json: `size` (number or {height, width}), `resample` 2 bilinear or 3 bicubic.
Preprocessing from_preprocessor_config(const std::filesystem::path& path, Preprocessing preprocessing) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const json document = parse(text, path.string());
  if (document.contains("size")) {
    const json& size = document["size"];
    const std::string file = path.string();
    const int height = read_size(size.is_object() && size.contains("height") ? size["height"] : size, "size", 1, file);
    if (size.is_object() && size.contains("width") && read_size(size["width"], "size", 1, file) != height) {
      refuse(file, "`size` is not square");
    }
    preprocessing.input_size = preprocessing.crop = height;
    preprocessing.resize = 0;
  }
  if (document.contains("resample")) {
    preprocessing.interpolation = document["resample"] == 3 ? Interpolation::bicubic : Interpolation::bilinear;
  }
  if (document.contains("image_mean")) {
    preprocessing.mean = read_channels(document["image_mean"], "image_mean", path.string());
  }
  if (document.contains("image_std")) {
    preprocessing.deviation = read_channels(document["image_std"], "image_std", path.string());
  }
  return preprocessing;
}

void check_sizes(const Preprocessing& chosen) {
  if (chosen.input_size != chosen.crop) {
    throw Error(ErrorKind::usage, fmt::format("--input-size {} and --crop {}: the network's input is the crop, so both "
                                              "must be equal", chosen.input_size, chosen.crop));
  }
  if (chosen.resize != 0 && chosen.resize < chosen.crop) {
    throw Error(ErrorKind::usage, fmt::format("--resize {}: it must be at least the crop ({}), or 0 to resize both sides "
                                              "to the crop", chosen.resize, chosen.crop));
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

}  // namespace

std::string preprocessing_to_json(const Preprocessing& preprocessing) {
  const auto channels = [](const std::array<float, 3>& values) {
    json list = json::array();
    // Through the shortest text that reads back as the same float32, so that 0.485 stays 0.485.
    for (const float value : values) list.push_back(json::parse(fmt::format("{}", value)));
    return list;
  };
  json document;
  document["input_size"] = preprocessing.input_size;
  document["resize"] = preprocessing.resize;
  document["interpolation"] = preprocessing.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic";
  document["crop"] = preprocessing.crop;
  document["mean"] = channels(preprocessing.mean);
  document["std"] = channels(preprocessing.deviation);
  return document.dump();
}

Preprocessing preprocessing_from_json(const std::string& text, const Preprocessing& defaults,
                                      const std::string& file_name) {
  const json document = parse(text, file_name);
  Preprocessing result = defaults;
  if (document.contains("input_size")) {
    result.input_size = read_size(document["input_size"], "input_size", 1, file_name);
    result.crop = result.input_size;
  }
  if (document.contains("crop")) result.crop = read_size(document["crop"], "crop", 1, file_name);
  if (document.contains("resize")) result.resize = read_size(document["resize"], "resize", 0, file_name);
  if (document.contains("interpolation")) result.interpolation = read_interpolation(document["interpolation"], file_name);
  if (document.contains("mean")) result.mean = read_channels(document["mean"], "mean", file_name);
  if (document.contains("std")) result.deviation = read_channels(document["std"], "std", file_name);
  if (result.input_size != result.crop) refuse(file_name, "`input_size` and `crop` differ");
  for (const float deviation : result.deviation) {
    if (!(deviation > 0)) refuse(file_name, "`std` holds a number that is not positive");
  }
  return result;
}

PreprocessingChoice choose_preprocessing(const PreprocessingOptions& options,
                                         const std::map<std::string, std::string>& metadata,
                                         const std::optional<std::filesystem::path>& folder,
                                         const Preprocessing& family_default, const std::string& family,
                                         const std::string& file_name) {
  PreprocessingChoice choice{family_default, fmt::format("the default of {}", family), true};
  const auto written = metadata.find("preprocessing");
  if (written != metadata.end()) {
    choice = {preprocessing_from_json(written->second, family_default, file_name), "the weight file's metadata", false};
  } else if (folder && std::filesystem::exists(*folder / "preprocessor_config.json")) {
    choice = {from_preprocessor_config(*folder / "preprocessor_config.json", family_default),
              "preprocessor_config.json", false};
  }
  const bool has_options = options.mean || options.deviation || options.input_size || options.resize || options.crop ||
                           options.interpolation;
  if (has_options) {
    apply_options(options, choice.preprocessing);
    choice.source = fmt::format("the options and {}", choice.source);
    choice.assumed = choice.assumed && !(options.mean && options.deviation && (options.resize || options.input_size));
  }
  check_sizes(choice.preprocessing);
  return choice;
}

}  // namespace blindspot
