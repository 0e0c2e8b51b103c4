// A temporary folder with a very small vision transformer under Hugging Face's names, for the tests of this room.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "blindspot/weights.h"
#include "engine/model_source.h"
#include "tests/temporary_folder.h"

namespace blindspot::tests {

/// One block, patch 4, input 8×8, 3 classes. `family` is "vit" or "deit".
inline void write_transformer(const std::filesystem::path& file, std::int64_t width = 24,
                              const std::map<std::string, std::string>& metadata = {},
                              const std::string& family = "vit") {
  const std::int64_t mlp = 2 * width;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors;
  const auto weight_and_bias = [&tensors](const std::string& name, const std::vector<std::int64_t>& shape) {
    tensors.emplace_back(name + ".weight", shape);
    tensors.emplace_back(name + ".bias", std::vector<std::int64_t>{shape[0]});
  };
  const std::string block = family + ".encoder.layer.0.";
  tensors.emplace_back(family + ".embeddings.cls_token", std::vector<std::int64_t>{1, 1, width});
  tensors.emplace_back(family + ".embeddings.position_embeddings", std::vector<std::int64_t>{1, 5, width});
  weight_and_bias(family + ".embeddings.patch_embeddings.projection", {width, 3, 4, 4});
  for (const char* norm : {"layernorm_before", "layernorm_after"}) weight_and_bias(block + norm, {width});
  for (const char* part : {"query", "key", "value"}) {
    weight_and_bias(block + "attention.attention." + part, {width, width});
  }
  weight_and_bias(block + "attention.output.dense", {width, width});
  weight_and_bias(block + "intermediate.dense", {mlp, width});
  weight_and_bias(block + "output.dense", {width, mlp});
  weight_and_bias(family + ".layernorm", {width});
  weight_and_bias("classifier", {3, width});
  std::vector<float> values(static_cast<std::size_t>(std::max<std::int64_t>(mlp, 48) * width));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) * 0.01F - 0.08F;
  std::vector<NamedFloatTensor> to_write;
  for (const auto& [name, shape] : tensors) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    to_write.push_back({name, shape, std::span<const float>(values).first(count)});
  }
  write_float_tensors(file, metadata, to_write);
}

inline ModelSource opened(const std::filesystem::path& path, const ModelOptions& options = {}) {
  return open_model_source(path.string(), options);
}

inline const VisionTransformerDescription& transformer_of(const ModelSource& source) {
  return std::get<VisionTransformerDescription>(source.architecture.description);
}

/// The message of the Error(input) that `action` throws; "no error" or the other kind's message in brackets otherwise.
template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::input ? error.what() : "(not of input) " + std::string(error.what());
  }
  return "no error";
}

/// Whether `message` names all of `parts`.
inline bool names(const std::string& message, const std::vector<std::string>& parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return message.find(part) != std::string::npos; }) &&
         message.find("(not of input)") == std::string::npos;
}

}  // namespace blindspot::tests
