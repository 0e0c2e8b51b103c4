// What the tests of the measures share: a trained CIFAR network with the images of the goldens. Uses the engine below
// the public interface, weights/ and the goldens.
#pragma once

#include <memory>
#include <string>

#include "engine/networks/architecture.h"
#include "tests/golden_file.h"
#include "tests/shared_material.h"
#include "tests/walk/golden_walks.h"
#include "tests/walk/walk_fixture.h"

namespace blindspot::tests {

inline weights::StateDict state_of_file(const std::filesystem::path& path) {
  return weights::StateDict::from_file(std::make_shared<const weights::WeightFile>(weights::WeightFile::open(path)));
}

/// One of the networks of ../shared/data/weights on the device of the program, for slices of `batch` images.
inline std::unique_ptr<Network> trained_network(const std::filesystem::path& path, Device& device, std::int64_t batch) {
  const weights::StateDict state = state_of_file(path);
  const auto architecture = recognise(state);
  REQUIRE(architecture);
  Preprocessing preprocessing;  // ImageNet's mean and deviation, as all were trained with
  preprocessing.input_size = preprocessing.resize = preprocessing.crop = 32;
  return build(*architecture, state, preprocessing, batch, device);
}

/// Row `row` of a tensor [N, 3, 32, 32].
inline Image image_row(const std::vector<float>& values, std::size_t row) {
  constexpr std::ptrdiff_t count = 3072;
  const auto from = values.begin() + static_cast<std::ptrdiff_t>(row) * count;
  return {32, 32, {from, from + count}};
}

}  // namespace blindspot::tests
