// Reads the reference walks of ../shared/goldens: tensors as doubles, images and pairs as the engine takes them. Uses
// weights/ and the public headers.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "blindspot/walk.h"
#include "weights/weight_file.h"

namespace blindspot::tests {

/// A file of goldens; a tensor that it lacks is a failed test.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path) : file_(weights::WeightFile::open(path)) {}

  bool has(const std::string& tensor) const { return file_.find(tensor) >= 0; }
  const std::vector<std::int64_t>& shape(const std::string& tensor) const { return information(tensor).shape; }

  /// Any of the four element types in use, as double.
  std::vector<double> numbers(const std::string& tensor) const {
    const std::vector<std::byte> bytes = raw(tensor);
    switch (information(tensor).type) {
      case weights::ElementType::f64:
        return converted<double>(bytes);
      case weights::ElementType::f32:
        return converted<float>(bytes);
      case weights::ElementType::i64:
        return converted<std::int64_t>(bytes);
      default:
        REQUIRE(information(tensor).type == weights::ElementType::u8);
        return converted<std::uint8_t>(bytes);
    }
  }

  std::vector<float> floats(const std::string& tensor) const {
    std::vector<float> values;
    for (const double value : numbers(tensor)) values.push_back(static_cast<float>(value));
    return values;
  }

 private:
  const weights::TensorInformation& information(const std::string& tensor) const {
    const std::ptrdiff_t index = file_.find(tensor);
    REQUIRE_MESSAGE(index >= 0, tensor);
    return file_.tensors()[static_cast<std::size_t>(index)];
  }

  std::vector<std::byte> raw(const std::string& tensor) const {
    return file_.read_raw(static_cast<std::size_t>(file_.find(tensor)));
  }

  template <typename Element>
  static std::vector<double> converted(const std::vector<std::byte>& bytes) {
    std::vector<double> values;
    for (std::size_t at = 0; at + sizeof(Element) <= bytes.size(); at += sizeof(Element)) {
      Element element;
      std::memcpy(&element, bytes.data() + at, sizeof(Element));
      values.push_back(static_cast<double>(element));
    }
    return values;
  }

  weights::WeightFile file_;
};

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
    const std::vector<double> bytes = cifar.numbers("images");
    const std::vector<double> all_noise = walks.numbers("noise");
    for (const double number : walks.numbers("source"))
      sources.push_back(cifar_image(bytes, static_cast<std::size_t>(number)));
    for (const double number : walks.numbers("target"))
      targets.push_back(cifar_image(bytes, static_cast<std::size_t>(number)));
    const std::vector<double> source_class = walks.numbers("source_class");
    const std::vector<double> target_class = walks.numbers("target_class");
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
