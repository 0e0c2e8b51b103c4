// The safetensors writer: what it writes reads back, and a failure leaves nothing behind.
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "../temporary_folder.h"
#include "weight_fixtures.h"
#include "weights/safetensors_writer.h"

namespace blindspot::tests {
namespace {

using weights::TensorToWrite;
using weights::WeightFile;

TEST_CASE("what is written reads back") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "out.safetensors";
  const std::vector<float> values = {1, -2, 3.5F, 0, 1e-40F, 7};
  const std::vector<std::byte> labels(5, std::byte{9});
  weights::write_safetensors(path, {{"classes", "[\"a\", \"é\"]"}},
                             {weights::float_tensor("w", {2, 3}, values),
                              {{"labels", {5}, weights::ElementType::u8},
                               [&](const weights::ByteSink& sink) {
                                 for (const std::byte& label : labels) sink({&label, 1});
                               }},
                              weights::float_tensor("empty", {0, 4}, {})});
  const auto file = WeightFile::open(path);
  CHECK(file.metadata().at("classes") == "[\"a\", \"é\"]");
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.read(static_cast<std::size_t>(file.find("w"))) == values);
  CHECK(file.read_raw(static_cast<std::size_t>(file.find("labels"))) == labels);
  CHECK(file.tensors()[static_cast<std::size_t>(file.find("w"))].shape == std::vector<std::int64_t>{2, 3});
}

TEST_CASE("pieces have no more elements than asked for, and none that is no number") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "out.safetensors";
  const std::vector<float> values = {1, 2, 3, 4, 5};
  const std::vector<float> strange = {1, 2, 3, NAN};
  weights::write_safetensors(path, {},
                             {weights::float_tensor("a", {5, 1}, values), weights::float_tensor("b", {2, 2}, strange)});
  const auto file = WeightFile::open(path);
  std::vector<std::vector<float>> pieces;
  const auto take = [&](std::span<const float> piece) { pieces.emplace_back(piece.begin(), piece.end()); };
  file.read_pieces(0, 2, take);
  CHECK(pieces == std::vector<std::vector<float>>{{1, 2}, {3, 4}, {5}});
  const std::string message = refusal([&] { file.read_pieces(1, 2, take); });
  CHECK(message.find("tensor b holds NaN") != std::string::npos);
}

TEST_CASE("a failure leaves what was there") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "out.safetensors";
  const std::vector<float> values = {1};
  weights::write_safetensors(path, {}, {weights::float_tensor("old", {1}, values)});
  const TensorToWrite failing = {{"new", {1}}, [](const weights::ByteSink&) { throw std::runtime_error("no"); }};
  CHECK_THROWS_AS(weights::write_safetensors(path, {}, {failing}), std::runtime_error);
  const TensorToWrite short_of_one = {{"new", {2}},
                                      [&](const weights::ByteSink& sink) { sink(std::as_bytes(std::span(values))); }};
  CHECK_THROWS_AS(weights::write_safetensors(path, {}, {short_of_one}), Error);
  CHECK(WeightFile::open(path).find("old") == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  const auto missing = folder.path() / "missing" / "out.safetensors";
  CHECK(refusal([&] { weights::write_safetensors(missing, {}, {}); }).starts_with(missing.string() + ": "));
}

}  // namespace
}  // namespace blindspot::tests
