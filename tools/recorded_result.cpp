// Implementation of recorded_result.h.
#include "tools/recorded_result.h"

#include <fmt/format.h>

#include <cmath>

#include "blindspot/weights.h"
#include "tools/document_node.h"

namespace blindspot::tools {

namespace {

std::array<float, 3> channels_of(const DocumentNode& node) {
  const std::vector<DocumentNode> elements = node.elements();
  if (elements.size() != 3) node.refuse("has not three numbers");
  return {static_cast<float>(elements[0].number()), static_cast<float>(elements[1].number()),
          static_cast<float>(elements[2].number())};
}

Interpolation interpolation_of(const DocumentNode& node) {
  const std::string text = node.text();
  if (text == "bilinear") return Interpolation::bilinear;
  if (text == "bicubic") return Interpolation::bicubic;
  node.refuse(fmt::format("is {}, not bilinear or bicubic", text));
}

WalkMode mode_of(const DocumentNode& node) {
  const std::string text = node.text();
  if (text == "default") return WalkMode::standard;
  if (text == "reference") return WalkMode::reference;
  node.refuse(fmt::format("is {}, not default or reference", text));
}

PreprocessingOptions preprocessing_of(const DocumentNode& node) {
  constexpr std::int64_t largest_side = 65535;
  PreprocessingOptions options;
  options.input_size = node.at("input_size").whole(1, largest_side);
  options.resize = node.at("resize").whole(0, largest_side);
  options.crop = node.at("crop").whole(1, largest_side);
  options.interpolation = interpolation_of(node.at("interpolation"));
  options.mean = channels_of(node.at("mean"));
  options.deviation = channels_of(node.at("std"));
  for (const float value : *options.deviation) {
    if (!(value > 0)) node.at("std").refuse("has a number that is not above 0");
  }
  return options;
}

RecordedPair pair_of(const DocumentNode& node) {
  constexpr std::int64_t largest_class = 1'000'000'000;
  const DocumentNode source = node.at("source");
  const DocumentNode target = node.at("target");
  const DocumentNode end = node.at("final");
  RecordedPair pair;
  pair.source_path = source.at("path").text();
  pair.target_path = target.at("path").text();
  pair.source_class = source.at("class").whole(0, largest_class);
  pair.target_class = target.at("class").whole(0, largest_class);
  pair.source_probability = source.at("probability").probability();
  pair.target_probability = target.at("probability").probability();
  pair.probability = end.at("probability").probability();
  pair.probability_8bit = end.at("probability_8bit").probability();
  pair.final_target_probability = end.at("target_probability").probability();
  pair.rmse = end.at("rmse").number_or_nan();
  pair.linf = end.at("linf").number_or_nan();
  pair.ssim = end.at("ssim").number_or_none();
  pair.lpips = end.at("lpips").number_or_none();
  pair.outside = end.at("outside").flag();
  return pair;
}

/// [pairs, 3, side, side] as images. A final image whose probability is recorded as none may hold NaN.
std::vector<Image> images_of(const std::string& file, const std::string& name,
                             const std::vector<RecordedPair>& recorded, int side, const Cancelled& cancelled) {
  stop_if(cancelled);
  const std::size_t pairs = recorded.size();
  const std::map<std::string, FloatTensor> tensors = read_float_tensors(file, {name});
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error(ErrorKind::input, fmt::format("{}: holds no tensor `{}`", file, name));
  if (found->second.shape != std::vector<std::int64_t>{static_cast<std::int64_t>(pairs), 3, side, side}) {
    throw Error(ErrorKind::input,
                fmt::format("{}: `{}` is not [{},3,{},{}] as result.json says", file, name, pairs, side, side));
  }
  const std::size_t count =
      static_cast<std::size_t>(3) * static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  std::vector<Image> images;
  for (std::size_t i = 0; i < pairs; ++i) {
    stop_if(cancelled);
    const auto start = found->second.values.begin() + static_cast<std::ptrdiff_t>(i * count);
    images.push_back({side, side, {start, start + static_cast<std::ptrdiff_t>(count)}});
    for (const float value : images.back().values) {
      if (value >= 0 && value <= 1) continue;
      if (name == "final" && std::isnan(value) && std::isnan(recorded[i].probability)) continue;
      throw Error(ErrorKind::input, fmt::format("{}: `{}` holds {}, not a value from 0 to 1", file, name, value));
    }
  }
  return images;
}

}  // namespace

RecordedResult read_result(const std::string& folder, const Cancelled& cancelled) {
  if (std::filesystem::is_regular_file(folder)) {
    throw Error(ErrorKind::input,
                fmt::format("{}: is a file; name the folder of a result of traverse, grid or demo", folder));
  }
  const std::filesystem::path path = std::filesystem::path(folder) / "result.json";
  const Json document = parse_document(path);
  const DocumentNode root(document, path.string(), "");
  root.require_schema("blindspot/traverse/1");
  RecordedResult result;
  const DocumentNode model = root.at("model");
  result.model_name = model.at("name").text();
  result.architecture = model.at("architecture").text();
  result.weights_sha256 = model.at("weights_sha256").text();
  result.preprocessing = preprocessing_of(model.at("preprocessing"));
  result.interrupted = document.contains("interrupted");
  result.mode = mode_of(root.at("parameters").at("mode"));
  // Results of a version that knew no LPIPS have no such key.
  if (document.contains("lpips_sha256") && !document["lpips_sha256"].is_null()) {
    result.lpips_sha256 = root.at("lpips_sha256").text();
  }
  const DocumentNode delta = root.at("parameters").at("delta");
  result.delta = delta.number();
  if (result.delta < 0 || result.delta > 1) delta.refuse("is not from 0 to 1");
  for (const DocumentNode& pair : root.at("pairs").elements()) result.pairs.push_back(pair_of(pair));

  const std::string images = (std::filesystem::path(folder) / "images.safetensors").string();
  const int side = *result.preprocessing.input_size;
  result.sources = images_of(images, "source", result.pairs, side, cancelled);
  result.targets = images_of(images, "target", result.pairs, side, cancelled);
  result.finals = images_of(images, "final", result.pairs, side, cancelled);
  return result;
}

void check_fits(const RecordedResult& result, const std::string& folder, const ModelInformation& information) {
  for (const RecordedPair& pair : result.pairs) {
    if (std::max(pair.source_class, pair.target_class) < information.class_count) continue;
    throw Error(ErrorKind::input, fmt::format("{}/result.json: names class {}, the network has {}", folder,
                                              std::max(pair.source_class, pair.target_class), information.class_count));
  }
}

}  // namespace blindspot::tools
