// Runs a network on a device for the tests: images in, logits, cross entropies, input gradients and, if wished,
// what every layer computed. Uses the engine's networks and doctest.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/networks/architecture.h"
#include "tests/devices.h"

namespace blindspot::tests {

/// A layer's values for every image, in the order [C, H, W] or [T, D].
using LayerValues = std::vector<std::vector<double>>;

struct NetworkRun {
  std::vector<std::vector<double>> logits;     // [N][K]
  std::vector<double> cross_entropy;           // [N]
  std::vector<std::vector<double>> gradients;  // [N][3·H·W], unscaled
  std::map<std::string, LayerValues> layers;   // "forward.layer1.0", "backward.layer1.0"
};

/// Image `image` of the rule, u in [0, 1): [3, side, side].
std::vector<float> rule_image(std::uint64_t seed, std::int64_t side);

/// Forward on `images` (all of one size, a multiple of network.batch()) and, where there are labels, the input gradient
/// of the cross entropy.
NetworkRun run(Network& network, Device& device, const std::vector<std::vector<float>>& images,
               const std::vector<std::int32_t>& labels, bool observe_layers = false);

/// An array by image: [N, H, W, C] as [C, H, W], any other shape as it lies.
LayerValues layer_values(Device& device, const Array& array);
/// [T, D] as [D, T].
LayerValues channels_first(const LayerValues& tokens, std::size_t count);

std::size_t argmax(const std::vector<double>& values);

}  // namespace blindspot::tests
