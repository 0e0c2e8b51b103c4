// The facade behind the public header weights.h: inspecting, converting and making weight files, and plain float
// tensors for results and noise. Sees weights, networks and levelset (what an LPIPS file holds).
#include "blindspot/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/levelset/image_distances.h"
#include "engine/model_source.h"
#include "engine/preprocessing_json.h"
#include "weights/safetensors_writer.h"

namespace blindspot {

namespace {

using weights::ElementType;
using weights::TensorInformation;
using weights::TensorToWrite;

void refuse_existing(const std::filesystem::path& output, bool overwrite) {
  if (!overwrite && std::filesystem::exists(output)) {
    throw Error(ErrorKind::usage, fmt::format("{}: exists already; give --overwrite to replace it", output.string()));
  }
}

constexpr const char* lpips_name = "lpips-alexnet";  // in the metadata of what convert_lpips writes
/// Between pieces of as many elements a stop is asked for.
constexpr std::size_t piece_elements = std::size_t{4} << 20;

TensorToWrite float32_of(std::string name, std::vector<std::int64_t> shape,
                         std::function<void(const weights::ByteSink&)> produce) {
  // Member by member: g++ 12 destroys an aggregate's first one twice where the second's construction throws.
  TensorToWrite tensor;
  tensor.information = {std::move(name), std::move(shape), ElementType::f32};
  tensor.produce = std::move(produce);
  return tensor;
}

/// Tensor `index` of a file, piece by piece: it may be larger than memory.
TensorToWrite tensor_of(const weights::WeightFile& file, std::size_t index, const Cancelled& cancelled) {
  const TensorInformation& tensor = file.tensors()[index];
  return float32_of(tensor.name, tensor.shape, [&file, &cancelled, index](const weights::ByteSink& sink) {
    stop_if(cancelled);
    file.read_pieces(index, piece_elements, [&](std::span<const float> piece) {
      stop_if(cancelled);
      sink(std::as_bytes(piece));
    });
  });
}

/// Those of a network whose names begin so, each read whole: a network that can be used fits into memory.
std::vector<TensorToWrite> tensors_of(const weights::StateDict& state, const Cancelled& cancelled,
                                      const std::string& prefix = "") {
  std::vector<TensorToWrite> tensors;
  for (const TensorInformation& tensor : state.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    const auto produce = [&state, &cancelled, name = tensor.name](const weights::ByteSink& sink) {
      const std::vector<float> values = state.read(name);
      for (std::span<const float> left = values; !left.empty();) {
        stop_if(cancelled);
        const std::span<const float> piece = left.first(std::min(left.size(), piece_elements));
        sink(std::as_bytes(piece));
        left = left.subspan(piece.size());
      }
    };
    tensors.push_back(float32_of(tensor.name, tensor.shape, produce));
  }
  return tensors;
}

void add_metadata(const std::map<std::string, std::string>& chosen, std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : chosen) metadata[key] = value;
}

/// Every tensor of a file under its own name, float32.
void convert_as_is(const std::filesystem::path& input, const std::filesystem::path& output,
                   const ConvertOptions& options) {
  const Cancelled& cancelled = options.cancelled;
  const weights::WeightFile file = weights::WeightFile::open(input, cancelled);
  std::vector<TensorToWrite> tensors;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    tensors.push_back(tensor_of(file, i, cancelled));
  }
  std::map<std::string, std::string> metadata = file.metadata();
  metadata["source"] = std::filesystem::path(file.name()).filename().string();
  metadata["source_sha256"] = file.sha256(cancelled);
  add_metadata(options.metadata, metadata);
  weights::write_safetensors(output, metadata, tensors);
}

std::map<std::string, std::string> network_metadata(const ModelSource& source) {
  std::map<std::string, std::string> metadata = source.state.metadata();
  metadata["architecture"] = source.architecture.name;
  metadata["preprocessing"] = preprocessing_to_json(source.information.preprocessing);
  if (const auto* transformer = std::get_if<VisionTransformerDescription>(&source.architecture.description)) {
    metadata["heads"] = std::to_string(transformer->heads);
    if (transformer->layer_norm_epsilon != VisionTransformerDescription{}.layer_norm_epsilon) {
      metadata["layer_norm_epsilon"] = fmt::format("{}", transformer->layer_norm_epsilon);
    }
  }
  if (!source.information.classes.empty()) metadata["classes"] = nlohmann::json(source.information.classes).dump();
  return metadata;
}

void use_class_names(const std::vector<std::string>& names, ModelInformation& information,
                     const std::filesystem::path& input) {
  if (!names.empty() && static_cast<std::int64_t>(names.size()) != information.class_count) {
    throw Error(ErrorKind::input, fmt::format("{}: the network has {} classes, but {} names were given", input.string(),
                                              information.class_count, names.size()));
  }
  information.classes = names;
}

/// AlexNet's features and the five 1×1 weights in one file.
void convert_lpips(const std::filesystem::path& alexnet, const std::filesystem::path& heads,
                   const std::filesystem::path& output, const Cancelled& cancelled) {
  const auto alexnet_file = std::make_shared<const weights::WeightFile>(weights::WeightFile::open(alexnet, cancelled));
  const weights::StateDict features = weights::StateDict::from_file(alexnet_file, cancelled);
  const weights::WeightFile head_file = weights::WeightFile::open(heads, cancelled);
  std::vector<TensorToWrite> tensors = tensors_of(features, cancelled, "features.");
  if (tensors.size() != 10) {
    throw Error(ErrorKind::input,
                fmt::format("{}: holds {} tensors `features.*`, AlexNet has 10", alexnet.string(), tensors.size()));
  }
  constexpr std::array<std::int64_t, 5> channels{64, 192, 384, 256, 256};
  for (std::size_t k = 0; k < channels.size(); ++k) {
    const std::string name = fmt::format("lin{}.model.1.weight", k);
    const std::ptrdiff_t index = head_file.find(name);
    if (index < 0) throw Error(ErrorKind::input, fmt::format("{}: the tensor {} is missing", heads.string(), name));
    const auto i = static_cast<std::size_t>(index);
    if (head_file.tensors()[i].shape != std::vector<std::int64_t>{1, channels[k], 1, 1}) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: the tensor {} must be [1, {}, 1, 1]", heads.string(), name, channels[k]));
    }
    tensors.push_back(tensor_of(head_file, i, cancelled));
  }
  weights::write_safetensors(output,
                             {{"architecture", lpips_name},
                              {"source", alexnet.filename().string()},
                              {"source_sha256", alexnet_file->sha256(cancelled)},
                              {"heads_sha256", head_file.sha256(cancelled)}},
                             tensors);
}

std::string architecture_or_empty(std::shared_ptr<const weights::WeightFile> file) {
  try {
    const weights::StateDict state = weights::StateDict::from_file(std::move(file));
    if (const auto told = state.metadata().find("architecture");
        told != state.metadata().end() && told->second == lpips_name) {
      state.check(lpips_name, levelset::declare_lpips());
      return lpips_name;
    }
    const std::optional<Architecture> architecture = recognise(state);
    return architecture ? architecture->name : "";
  } catch (const Error&) {
    // A well-formed file that is no network is listed all the same.
    return "";
  }
}

}  // namespace

WeightSummary inspect_weights(const std::filesystem::path& path, const Cancelled& cancelled) {
  const auto file = std::make_shared<const weights::WeightFile>(weights::WeightFile::open(path, cancelled));
  WeightSummary summary;
  summary.format = file->format();
  summary.sha256 = file->sha256(cancelled);
  summary.metadata = file->metadata();
  for (const TensorInformation& tensor : file->tensors()) {
    summary.tensors.push_back({tensor.name, weights::to_string(tensor.type), tensor.shape});
  }
  summary.architecture = architecture_or_empty(file);
  return summary;
}

void convert_weights(const std::filesystem::path& input, const std::filesystem::path& output,
                     const ConvertOptions& options) {
  refuse_existing(output, options.overwrite);
  if (!options.lpips_heads.empty()) {
    convert_lpips(input, options.lpips_heads, output, options.cancelled);
    return;
  }
  if (options.as_is) {
    convert_as_is(input, output, options);
    return;
  }
  ModelOptions model_options;
  model_options.architecture = options.architecture;
  model_options.heads = options.heads;
  model_options.cancelled = options.cancelled;
  model_options.preprocessing = options.preprocessing;
  ModelSource source = open_model_source(input.string(), model_options);
  if (source.information.classes.empty()) use_class_names(options.classes, source.information, input);
  std::map<std::string, std::string> metadata = network_metadata(source);
  metadata["source"] = input.filename().string();
  metadata["source_sha256"] = source.information.sha256;
  metadata["weights_sha256"] = source.state.sha256();
  add_metadata(options.metadata, metadata);
  weights::write_safetensors(output, metadata, tensors_of(source.state, options.cancelled));
}

void write_random_weights(const std::string& architecture, std::uint64_t seed, const std::filesystem::path& output,
                          bool overwrite, const Cancelled& cancelled) {
  refuse_existing(output, overwrite);
  ModelOptions options;
  options.rule_seed = seed;
  options.cancelled = cancelled;
  const ModelSource source = open_model_source("rule:" + architecture, options);
  std::map<std::string, std::string> metadata = network_metadata(source);
  metadata["source"] = fmt::format("made from the weight rule, seed {}", seed);
  weights::write_safetensors(output, metadata, tensors_of(source.state, options.cancelled));
}

std::vector<std::string> known_architectures() {
  return architecture_names();
}

std::map<std::string, FloatTensor> read_float_tensors(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names) {
  const weights::WeightFile file = weights::WeightFile::open(path);
  std::map<std::string, FloatTensor> tensors;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const std::string& name = file.tensors()[i].name;
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    tensors[name] = {file.tensors()[i].shape, file.read(i, false)};
  }
  return tensors;
}

FloatTensorFile::FloatTensorFile(const std::filesystem::path& path)
    : file_(std::make_shared<weights::WeightFile>(weights::WeightFile::open(path))) {}

std::vector<std::int64_t> FloatTensorFile::shape(const std::string& name) const {
  const std::ptrdiff_t index = file_->find(name);
  if (index < 0) return {};
  return file_->tensors()[static_cast<std::size_t>(index)].shape;
}

std::vector<float> FloatTensorFile::rows(const std::string& name, std::int64_t first, std::int64_t count) const {
  const std::vector<std::int64_t> all = shape(name);
  if (all.empty() || first < 0 || count < 0 || first > all[0] - count) {
    throw Error(ErrorKind::fault,
                fmt::format("{}: `{}` has no rows {} to {}", file_->name(), name, first, first + count));
  }
  return file_->read_rows(static_cast<std::size_t>(file_->find(name)), first, count);
}

void write_float_tensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                         const std::vector<NamedFloatTensor>& tensors) {
  std::vector<TensorToWrite> to_write;
  to_write.reserve(tensors.size());
  for (const NamedFloatTensor& tensor : tensors) {
    to_write.push_back(weights::float_tensor(tensor.name, tensor.shape, tensor.values));
  }
  weights::write_safetensors(path, metadata, to_write);
}

void write_float_rows(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                      const std::vector<FloatTensorRows>& tensors) {
  std::vector<TensorToWrite> to_write;
  to_write.reserve(tensors.size());
  for (const FloatTensorRows& tensor : tensors) {
    to_write.push_back({{tensor.name, tensor.shape, ElementType::f32}, [&tensor](const weights::ByteSink& sink) {
                          for (std::size_t row = 0; row < tensor.rows; ++row) {
                            const std::vector<float> values = tensor.read(row);
                            sink(std::as_bytes(std::span(values)));
                          }
                        }});
  }
  weights::write_safetensors(path, metadata, to_write);
}

}  // namespace blindspot
