// Implementation of preprocessing_json.h.
#include "engine/preprocessing_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "blindspot/error.h"
#include "engine/small_json.h"

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
  // As texts: nlohmann-json's comparison with one makes a document of it, and lets nothing out where memory is short.
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (text == "bilinear") return Interpolation::bilinear;
  if (text == "bicubic") return Interpolation::bicubic;
  refuse(file, R"(`interpolation` is neither "bilinear" nor "bicubic")");
}

/// What no key alone can tell, for whatever a file says.
void check_written(const Preprocessing& written, const std::string& file) {
  if (written.input_size != written.crop) refuse(file, "`input_size` and `crop` differ");
  if (written.resize != 0 && written.resize < written.crop) {
    refuse(file, fmt::format("the size to resize to, {}, is smaller than the crop, {}", written.resize, written.crop));
  }
  for (const float deviation : written.deviation) {
    if (!(deviation > 0)) refuse(file, "the standard deviations hold a number that is not positive");
  }
}

/// The value of a key; null where it is absent, as Hugging Face writes it too.
const json& value_of(const json& document, const std::string& key) {
  static const json null;
  const auto found = document.find(key);
  return found == document.end() ? null : *found;
}

bool read_flag(const json& document, const std::string& key, bool otherwise, const std::string& file) {
  const json& value = value_of(document, key);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) refuse(file, fmt::format("`{}` is neither true nor false", key));
  return value.get<bool>();
}

/// {"height": N, "width": N}
int read_square(const json& value, const std::string& key, const std::string& file) {
  const int height = read_size(value_of(value, "height"), key + ".height", 1, file);
  if (read_size(value_of(value, "width"), key + ".width", 1, file) != height) {
    refuse(file, fmt::format("`{}` is not square", key));
  }
  return height;
}

/// `size` of a preprocessor_config.json: which sides it speaks of. A plain number speaks of the shorter side where a
/// crop follows, of both sides otherwise.
struct HuggingFaceSize {
  enum class Sides { plain, both, shorter } sides = Sides::plain;
  int pixels = 0;
};

HuggingFaceSize read_hugging_face_size(const json& size, const std::string& file) {
  using Sides = HuggingFaceSize::Sides;
  if (size.is_number()) return {Sides::plain, read_size(size, "size", 1, file)};
  if (size.is_object() && size.size() == 1 && size.contains("shortest_edge")) {
    return {Sides::shorter, read_size(size["shortest_edge"], "size.shortest_edge", 1, file)};
  }
  if (size.is_object() && size.size() == 2 && size.contains("height") && size.contains("width")) {
    return {Sides::both, read_square(size, "size", file)};
  }
  refuse(file, R"(`size` is neither a number nor {"height", "width"} nor {"shortest_edge"})");
}

/// The size to resize to of which the crop keeps this share.
int resize_of_share(int crop, const json& share, const std::string& file) {
  const double kept = share.is_number() ? share.get<double>() : 0;
  if (!(kept > 0 && kept <= 1)) refuse(file, "`crop_pct` is not a number above 0 and up to 1");
  const double resize = std::floor(crop / kept);
  if (resize > 65535) refuse(file, fmt::format("`crop_pct` is {}, which is too small", kept));
  return static_cast<int>(resize);
}

void apply_hugging_face_sizes(const json& document, const std::string& file, Preprocessing& preprocessing) {
  using Sides = HuggingFaceSize::Sides;
  const json& share = value_of(document, "crop_pct");
  const json& crop_size = value_of(document, "crop_size");
  const bool crops = read_flag(document, "do_center_crop", !crop_size.is_null(), file);
  const json& written_size = value_of(document, "size");
  if (written_size.is_null()) {
    if (crops || !share.is_null()) refuse(file, "a crop without `size`");
    return;
  }
  const HuggingFaceSize size = read_hugging_face_size(written_size, file);
  if (crops && !crop_size.is_null()) {
    const int crop =
        crop_size.is_object() ? read_square(crop_size, "crop_size", file) : read_size(crop_size, "crop_size", 1, file);
    if (size.sides == Sides::both && size.pixels != crop) {
      refuse(file, R"(`size` resizes both sides before the crop, which is not known here; {"shortest_edge"} is)");
    }
    preprocessing.crop = crop;
    preprocessing.resize = size.sides == Sides::both ? 0 : size.pixels;
  } else if (!share.is_null() && size.sides != Sides::both) {
    preprocessing.crop = size.pixels;
    // ConvNeXt's and ResNet's rule in transformers: from 384 pixels on both sides are resized, and nothing is cropped.
    const int resize = resize_of_share(size.pixels, share, file);
    preprocessing.resize = size.pixels >= 384 ? 0 : resize;
  } else if (crops) {
    refuse(file, "`do_center_crop` without `crop_size`");
  } else if (size.sides == Sides::shorter) {
    refuse(file, "`size.shortest_edge` without `crop_size` or `crop_pct` gives inputs that are not square");
  } else if (!share.is_null()) {
    refuse(file, R"(`crop_pct` with {"height", "width"})");
  } else {
    preprocessing.crop = size.pixels;
    preprocessing.resize = 0;
  }
  preprocessing.input_size = preprocessing.crop;
}

/// timm: the shorter side to floor(size / crop_pct), 0.875 if nothing is said, and the middle of it; or both sides
/// ("squash").
void apply_timm_sizes(const json& configuration, const std::string& file, Preprocessing& preprocessing) {
  const json& size = value_of(configuration, "input_size");
  const json& share = value_of(configuration, "crop_pct");
  const json& mode = value_of(configuration, "crop_mode");
  if (size.is_null() && share.is_null() && mode.is_null()) return;
  if (!size.is_null()) {
    if (!size.is_array() || size.size() != 3 || size[0] != 3 || size[1] != size[2]) {
      refuse(file, "`input_size` is not [3, size, size]");
    }
    preprocessing.crop = read_size(size[1], "input_size", 1, file);
    preprocessing.input_size = preprocessing.crop;
  }
  preprocessing.resize = resize_of_share(preprocessing.crop, share.is_null() ? json(0.875) : share, file);
  const std::string how = mode.is_null() ? "center" : mode.is_string() ? mode.get<std::string>() : "";
  if (how == "center") return;
  if (how != "squash" || preprocessing.resize != preprocessing.crop) {
    refuse(file, R"(`crop_mode` is neither "center" nor, with `crop_pct` 1, "squash")");
  }
  preprocessing.resize = 0;
}

}  // namespace

std::string preprocessing_to_json(const Preprocessing& preprocessing) {
  const auto channels = [](const std::array<float, 3>& values) {
    json list = json::array();
    // Through the shortest text that reads back as the same float32, so that 0.485 stays 0.485.
    for (const float value : values) list.push_back(json::parse(fmt::format("{}", value)));
    return list;
  };
  JsonDocument whole(json::object());
  json& document = *whole;
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
  const JsonDocument whole(parse_bounded(text, fmt::format("{}: the `preprocessing`", file_name)));
  const json& document = *whole;
  if (!document.is_object()) refuse(file_name, "is not a JSON object");
  Preprocessing result = defaults;
  if (document.contains("input_size")) {
    result.input_size = read_size(document["input_size"], "input_size", 1, file_name);
    result.crop = result.input_size;
  }
  if (document.contains("crop")) result.crop = read_size(document["crop"], "crop", 1, file_name);
  if (document.contains("resize")) result.resize = read_size(document["resize"], "resize", 0, file_name);
  if (document.contains("interpolation"))
    result.interpolation = read_interpolation(document["interpolation"], file_name);
  if (document.contains("mean")) result.mean = read_channels(document["mean"], "mean", file_name);
  if (document.contains("std")) result.deviation = read_channels(document["std"], "std", file_name);
  check_written(result, file_name);
  return result;
}

Preprocessing preprocessing_from_hugging_face(const json& document, const Preprocessing& defaults,
                                              const std::string& file) {
  Preprocessing preprocessing = defaults;
  if (!document.is_object()) refuse(file, "is not a JSON object");
  for (const char* key : {"do_resize", "do_rescale"}) {
    if (!read_flag(document, key, true, file)) refuse(file, fmt::format("`{}` must be true", key));
  }
  const json& factor = value_of(document, "rescale_factor");
  if (!factor.is_null() && !(factor.is_number() && std::abs(factor.get<double>() * 255 - 1) < 1e-3)) {
    refuse(file, "`rescale_factor` must be 1/255");
  }
  apply_hugging_face_sizes(document, file, preprocessing);
  const json& resample = value_of(document, "resample");
  if (!resample.is_null()) {
    if (resample != 2 && resample != 3) refuse(file, "`resample` is neither 2 (bilinear) nor 3 (bicubic)");
    preprocessing.interpolation = resample == 3 ? Interpolation::bicubic : Interpolation::bilinear;
  }
  const json& mean = value_of(document, "image_mean");
  const json& deviation = value_of(document, "image_std");
  if (!mean.is_null()) preprocessing.mean = read_channels(mean, "image_mean", file);
  if (!deviation.is_null()) preprocessing.deviation = read_channels(deviation, "image_std", file);
  if (!read_flag(document, "do_normalize", true, file)) {
    preprocessing.mean = {0, 0, 0};
    preprocessing.deviation = {1, 1, 1};
  }
  check_written(preprocessing, file);
  return preprocessing;
}

std::optional<Preprocessing> preprocessing_from_timm(const json& document, const Preprocessing& defaults,
                                                     const std::string& file) {
  const json& configuration = value_of(document, "pretrained_cfg");
  if (configuration.is_null()) return std::nullopt;
  if (!configuration.is_object()) refuse(file, "`pretrained_cfg` is not a JSON object");
  Preprocessing preprocessing = defaults;
  apply_timm_sizes(configuration, file, preprocessing);
  const json& interpolation = value_of(configuration, "interpolation");
  const json& mean = value_of(configuration, "mean");
  const json& deviation = value_of(configuration, "std");
  if (!interpolation.is_null()) preprocessing.interpolation = read_interpolation(interpolation, file);
  if (!mean.is_null()) preprocessing.mean = read_channels(mean, "mean", file);
  if (!deviation.is_null()) preprocessing.deviation = read_channels(deviation, "std", file);
  check_written(preprocessing, file);
  return preprocessing;
}

}  // namespace blindspot
