// The reference walks of ../shared/goldens: images and pairs as the engine takes them. Uses golden_file.h and the
// public headers.
#pragma once

#include <cstdint>
#include <vector>

#include "blindspot/walk.h"
#include "tests/golden_file.h"

namespace blindspot::tests {

/// Image `number` of the CIFAR goldens: k/255, correctly rounded.
inline Image cifar_image(const std::vector<double>& bytes, std::size_t number) {
  constexpr std::size_t count = 3072;
  Image image{32, 32, {}};
  for (std::size_t i = 0; i < count; ++i) image.values.push_back(static_cast<float>(bytes[number * count + i] / 255.0));
  return image;
}

/// The pairs of a file of CIFAR walks, with their noise.
struct GoldenPairs {
  std::vector<Image> sources, targets;
  std::vector<std::vector<float>> noise;
  std::vector<WalkPair> pairs;

  GoldenPairs(const GoldenFile& walks, const GoldenFile& cifar) {
    const std::vector<double> bytes = cifar.flat("images");
    const std::vector<double> all_noise = walks.flat("noise");
    for (const double number : walks.flat("source"))
      sources.push_back(cifar_image(bytes, static_cast<std::size_t>(number)));
    for (const double number : walks.flat("target"))
      targets.push_back(cifar_image(bytes, static_cast<std::size_t>(number)));
    const std::vector<double> source_class = walks.flat("source_class");
    const std::vector<double> target_class = walks.flat("target_class");
    const std::size_t values = sources[0].values.size();
    for (std::size_t i = 0; i < sources.size(); ++i) {
      noise.emplace_back(all_noise.begin() + static_cast<std::ptrdiff_t>(i * values),
                         all_noise.begin() + static_cast<std::ptrdiff_t>((i + 1) * values));
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      pairs.push_back({&sources[i], &targets[i], static_cast<std::int32_t>(source_class[i]),
                       static_cast<std::int32_t>(target_class[i]), 0, &noise[i]});
    }
  }
};

}  // namespace blindspot::tests
