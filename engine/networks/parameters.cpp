// Implementation of parameters.h.
#include "engine/networks/parameters.h"

#include <utility>

namespace blindspot {

weights::FoldedConvolution plain_convolution(const weights::StateDict& state, const std::string& name) {
  weights::FoldedConvolution parameters;
  parameters.weight = state.read(name + ".weight");
  if (state.find(name + ".bias") != nullptr) {
    parameters.bias = state.read(name + ".bias");
  } else {
    parameters.bias.resize(static_cast<std::size_t>(state.find(name + ".weight")->shape.front()));
  }
  return parameters;
}

LinearLayer linear_layer(Device& device, const weights::StateDict& state, const std::string& name,
                         const LinearDescription& description) {
  return {device, description, state.read(name + ".weight"), state.read(name + ".bias")};
}

LinearLayer classifier(Device& device, const weights::StateDict& state, const std::string& name, std::int64_t batch,
                       std::int64_t features, std::int64_t classes, Type input) {
  LinearDescription description;
  description.rows = batch;
  description.in_features = features;
  description.out_features = classes;
  description.input = input;
  description.output = Type::float32;
  return linear_layer(device, state, name, description);
}

LayerNormLayer layer_norm(Device& device, const weights::StateDict& state, const std::string& name, Type input,
                          float epsilon) {
  return {device, input, state.read(name + ".weight"), state.read(name + ".bias"), epsilon};
}

void Declaration::tensor(std::string name, std::vector<std::int64_t> shape) {
  tensors_.push_back({std::move(name), std::move(shape)});
}

void Declaration::convolution(const std::string& name, std::int64_t out_channels, std::int64_t in_channels,
                              std::int64_t kernel, bool bias) {
  tensor(name + ".weight", {out_channels, in_channels, kernel, kernel});
  if (bias) tensor(name + ".bias", {out_channels});
}

void Declaration::batch_norm(const std::string& name, std::int64_t channels) {
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) tensor(name + part, {channels});
}

void Declaration::layer_norm(const std::string& name, std::int64_t width) {
  for (const char* part : {".weight", ".bias"}) tensor(name + part, {width});
}

void Declaration::linear(const std::string& name, std::int64_t out_features, std::int64_t in_features) {
  tensor(name + ".weight", {out_features, in_features});
  tensor(name + ".bias", {out_features});
}

}  // namespace blindspot
