// A file of ../shared/goldens: its tensors as doubles, whatever their type. A tensor that it lacks is a failed test.
// Uses weights/weight_file.h and doctest.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "weights/weight_file.h"

namespace blindspot::tests {

class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path) : file_(weights::WeightFile::open(path)) {}

  bool has(const std::string& tensor) const { return file_.find(tensor) >= 0; }
  const std::vector<std::int64_t>& shape(const std::string& tensor) const { return information(tensor).shape; }
  const std::string& metadata(const std::string& key) const { return file_.metadata().at(key); }

  /// All values of a tensor of any of the types in use, row-major.
  std::vector<double> flat(const std::string& tensor) const {
    const weights::ElementType type = information(tensor).type;
    const std::vector<std::byte> bytes = file_.read_raw(static_cast<std::size_t>(file_.find(tensor)));
    switch (type) {
      case weights::ElementType::f64:
        return decoded<double>(bytes);
      case weights::ElementType::f32:
        return decoded<float>(bytes);
      case weights::ElementType::i64:
        return decoded<std::int64_t>(bytes);
      default:
        REQUIRE(type == weights::ElementType::u8);
        return decoded<std::uint8_t>(bytes);
    }
  }

  std::vector<float> floats(const std::string& tensor) const {
    std::vector<float> values;
    for (const double value : flat(tensor)) values.push_back(static_cast<float>(value));
    return values;
  }

  /// One row for each entry of the first dimension.
  std::vector<std::vector<double>> rows(const std::string& tensor) const {
    const std::vector<double> values = flat(tensor);
    const auto count = static_cast<std::size_t>(shape(tensor).at(0));
    const std::size_t size = values.size() / count;
    std::vector<std::vector<double>> result;
    for (std::size_t n = 0; n < count; ++n) {
      const auto from = values.begin() + static_cast<std::ptrdiff_t>(n * size);
      result.emplace_back(from, from + static_cast<std::ptrdiff_t>(size));
    }
    return result;
  }

  /// Layer names, in the order of computation.
  std::vector<std::string> checkpoints() const {
    return nlohmann::json::parse(metadata("checkpoints")).get<std::vector<std::string>>();
  }

  /// mean or std.
  std::array<float, 3> three(const std::string& key) const {
    return nlohmann::json::parse(metadata(key)).get<std::array<float, 3>>();
  }

 private:
  const weights::TensorInformation& information(const std::string& tensor) const {
    const std::ptrdiff_t index = file_.find(tensor);
    REQUIRE_MESSAGE(index >= 0, tensor);
    return file_.tensors()[static_cast<std::size_t>(index)];
  }

  template <typename Element>
  static std::vector<double> decoded(const std::vector<std::byte>& bytes) {
    std::vector<double> values(bytes.size() / sizeof(Element));
    for (std::size_t i = 0; i < values.size(); ++i) {
      Element element;
      std::memcpy(&element, bytes.data() + i * sizeof(Element), sizeof(Element));
      values[i] = static_cast<double>(element);
    }
    return values;
  }

  weights::WeightFile file_;
};

}  // namespace blindspot::tests
