// Every good weight file of the fixtures gives exactly the floats that PyTorch gives.
#include <algorithm>
#include <bit>
#include <map>
#include <memory>

#include "../shared_material.h"
#include "weight_fixtures.h"

namespace blindspot::tests {
namespace {

using weights::WeightFile;

std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> contents_of(const WeightFile& file) {
  std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> contents;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    contents[file.tensors()[i].name] = {file.tensors()[i].shape, file.read(i)};
  }
  return contents;
}

void check_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i]));
  }
}

/// dtypes.safetensors overwrote the expected values of dtypes.pth, whose legacy form holds the same tensors.
std::string expected_of(const nlohmann::json& entry) {
  if (entry["file"] == "dtypes.pth") return "dtypes-legacy.expected.safetensors";
  return entry["expected"].get<std::string>();
}

TEST_CASE("good weight files give the expected floats") {
  const auto folder = shared_material("fixtures/weights/good");
  if (!folder) return;
  for (const auto& entry : json_of(*folder / "index.json")) {
    const auto name = entry["file"].get<std::string>(), expected_name = expected_of(entry);
    CAPTURE(name);
    const WeightFile file = WeightFile::open(*folder / name);
    const auto contents = contents_of(file);
    CHECK(file.sha256() == entry["sha256"].get<std::string>());
    CHECK(file.size_bytes() == entry["bytes"].get<std::uint64_t>());
    if (expected_name.ends_with(".json")) {
      const auto expected = json_of(*folder / expected_name);
      REQUIRE(contents.size() == expected.size());
      for (const auto& item : expected.items()) {
        const std::string& tensor = item.key();
        const nlohmann::json& description = item.value();
        CAPTURE(tensor);
        const auto& [shape, values] = contents.at(tensor);
        CHECK(shape == description["shape"].get<std::vector<std::int64_t>>());
        check_same_bits(values, std::vector<float>(values.size(), description["all"].get<float>()));
      }
      continue;
    }
    const auto expected = contents_of(WeightFile::open(*folder / expected_name));
    REQUIRE(contents.size() == expected.size());
    for (const auto& name_and_values : expected) {
      const std::string& tensor = name_and_values.first;
      const auto& shape_and_values = name_and_values.second;
      CAPTURE(tensor);
      REQUIRE(contents.contains(tensor));
      CHECK(contents.at(tensor).first == shape_and_values.first);
      check_same_bits(contents.at(tensor).second, shape_and_values.second);
    }
  }
}

TEST_CASE("pieces of a tensor are the whole, whatever its type and strides") {
  const auto folder = shared_material("fixtures/weights/good");
  if (!folder) return;
  for (const auto& entry : json_of(*folder / "index.json")) {
    const auto name = entry["file"].get<std::string>();
    CAPTURE(name);
    const WeightFile file = WeightFile::open(*folder / name);
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
      std::vector<float> joined;
      file.read_pieces(i, 3, [&](std::span<const float> piece) {
        CHECK_FALSE(piece.empty());
        joined.insert(joined.end(), piece.begin(), piece.end());
      });
      check_same_bits(joined, file.read(i));
    }
  }
}

TEST_CASE("prefixes and companions come off good weight files") {
  const auto folder = shared_material("fixtures/weights/good");
  if (!folder) return;
  for (const auto& entry : json_of(*folder / "index.json")) {
    const auto name = entry["file"].get<std::string>();
    CAPTURE(name);
    const auto file = std::make_shared<const WeightFile>(WeightFile::open(*folder / name));
    const auto strip = entry["strip"].get<std::string>();
    std::vector<std::string> expected;
    for (const auto& tensor : file->tensors()) {
      bool left_out = tensor.name.ends_with("num_batches_tracked");
      for (const auto& prefix : entry["ignore"]) left_out |= tensor.name.starts_with(prefix.get<std::string>());
      if (!left_out) expected.push_back(tensor.name.substr(strip.size()));
    }
    std::sort(expected.begin(), expected.end());
    const auto state = weights::StateDict::from_file(file);
    std::vector<std::string> names;
    for (const auto& tensor : state.tensors()) names.push_back(tensor.name);
    CHECK(names == expected);
  }
}

TEST_CASE("metadata strings are decoded") {
  const auto folder = shared_material("fixtures/weights/good");
  if (!folder) return;
  const auto metadata = WeightFile::open(*folder / "metadata.safetensors").metadata();
  CHECK(metadata.at("architecture") == "tiny");
  CHECK(nlohmann::json::parse(metadata.at("classes"))[2] == "\U0001f431");
}

}  // namespace
}  // namespace blindspot::tests
