// Implementation of network_run.h.
#include "tests/networks/network_run.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace blindspot::tests {

namespace {

std::vector<float> values_of(Device& device, const Array& array) {
  std::vector<float> values(static_cast<std::size_t>(array.shape().count()));
  if (array.type() == Type::float32) {
    device.download(array, values);
  } else {
    Array wide = device.array(Type::float32, array.shape());
    device.convert(array, wide);
    device.download(wide, values);
  }
  return values;
}

/// Images of the first dimension apart; [H, W, C] becomes [C, H, W].
LayerValues by_image(const std::vector<float>& values, const Shape& shape) {
  const auto images = static_cast<std::size_t>(shape[0]);
  const std::size_t size = values.size() / images;
  const std::size_t channels = shape.rank() == 4 ? static_cast<std::size_t>(shape[3]) : size;
  const std::size_t places = size / channels;
  LayerValues result(images, std::vector<double>(size));
  for (std::size_t n = 0; n < images; ++n) {
    for (std::size_t place = 0; place < places; ++place) {
      for (std::size_t c = 0; c < channels; ++c) {
        result[n][c * places + place] = values[(n * places + place) * channels + c];
      }
    }
  }
  return result;
}

double cross_entropy_of(const std::vector<double>& logits, std::int32_t label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits.at(static_cast<std::size_t>(label));
}

void append(LayerValues& to, const LayerValues& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// One batch, appended to `result`.
void run_batch(Network& network, Device& device, const std::vector<float>& images,
               const std::vector<std::int32_t>& labels, NetworkRun& result) {
  Array input = device.array(Type::float32, {network.batch(), 3, network.height(), network.width()});
  device.upload(images, input);
  const Array logits = network.forward(images_from(device, input));
  const LayerValues scores = by_image(values_of(device, logits), logits.shape());
  append(result.logits, scores);
  if (labels.empty()) {
    network.forget();
    return;
  }
  Array classes = device.array(Type::int32, {network.batch()});
  device.upload(labels, classes);
  Array seed = device.array(Type::float32, logits.shape());
  Array inverse_scale = device.array(Type::float32, {network.batch()});
  device.cross_entropy_seed(logits, classes, seed, inverse_scale);
  Array gradient = device.array(Type::float32, input.shape());
  network.input_gradient(seed, gradient_into(device, gradient));
  const std::vector<float> scale = values_of(device, inverse_scale);
  const std::vector<float> scaled = values_of(device, gradient);
  const std::size_t size = scaled.size() / labels.size();
  for (std::size_t n = 0; n < labels.size(); ++n) {
    result.cross_entropy.push_back(cross_entropy_of(scores[n], labels[n]));
    const auto from = scaled.begin() + static_cast<std::ptrdiff_t>(n * size);
    std::vector<double> unscaled(from, from + static_cast<std::ptrdiff_t>(size));
    for (double& value : unscaled) value *= static_cast<double>(scale[n]);
    result.gradients.push_back(std::move(unscaled));
    for (auto& [name, values] : result.layers) {
      if (!name.starts_with("backward.")) continue;
      for (double& value : values[values.size() - labels.size() + n]) value *= static_cast<double>(scale[n]);
    }
  }
}

}  // namespace

std::vector<float> rule_image(std::uint64_t seed, std::int64_t side) {
  return weights::rule_values("image", seed, 3 * side * side, 0.5F, 0.5F);
}

NetworkRun run(Network& network, Device& device, const std::vector<std::vector<float>>& images,
               const std::vector<std::int32_t>& labels, bool observe_layers) {
  NetworkRun result;
  if (observe_layers) {
    network.set_layer_observer([&](Pass pass, std::string_view layer, const Array& values) {
      const std::string name = (pass == Pass::forward ? "forward." : "backward.") + std::string(layer);
      append(result.layers[name], layer_values(device, values));
    });
  }
  const auto batch = static_cast<std::size_t>(network.batch());
  REQUIRE(images.size() % batch == 0);
  for (std::size_t first = 0; first < images.size(); first += batch) {
    std::vector<float> joined;
    std::vector<std::int32_t> batch_labels;
    for (std::size_t i = first; i < first + batch; ++i) {
      joined.insert(joined.end(), images[i].begin(), images[i].end());
      if (!labels.empty()) batch_labels.push_back(labels.at(i));
    }
    run_batch(network, device, joined, batch_labels, result);
  }
  network.set_layer_observer({});
  return result;
}

LayerValues layer_values(Device& device, const Array& array) {
  return by_image(values_of(device, array), array.shape());
}

LayerValues channels_first(const LayerValues& tokens, std::size_t count) {
  LayerValues result = tokens;
  for (std::size_t n = 0; n < tokens.size(); ++n) {
    const std::size_t width = tokens[n].size() / count;
    for (std::size_t i = 0; i < tokens[n].size(); ++i) result[n][i % width * count + i / width] = tokens[n][i];
  }
  return result;
}

std::size_t argmax(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace blindspot::tests
