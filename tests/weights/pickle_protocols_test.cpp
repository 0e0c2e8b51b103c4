// State dicts in the pickle protocols that torch.save can be asked for, made here, in both of its forms.
#include "pickle_writer.h"
#include "weight_fixtures.h"

#include <doctest/doctest.h>

namespace blindspot::tests {
namespace {

using weights::WeightFile;

const std::vector<PickledTensor>& some_tensors() {
  static const std::vector<PickledTensor> tensors = [] {
    std::vector<PickledTensor> made{{"fc.weight", {2, 3}, {1, -2, 3.5F, 0, 1e-40F, 7}},
                                    {"fc.bias", {2}, {0.25F, -0.5F}},
                                    {"scalar", {}, {42}},
                                    {"wide", {300, 1}, std::vector<float>(300, 0.125F)}};
    // Enough names for memo indices of more than one byte.
    for (int i = 0; i < 300; ++i) made.push_back({"more." + std::to_string(i), {1}, {static_cast<float>(i)}});
    return made;
  }();
  return tensors;
}

void check_contents(const std::vector<std::byte>& bytes, std::string_view format) {
  const WeightFile file = WeightFile::from_memory("made.pth", bytes);
  CHECK(file.format() == format);
  REQUIRE(file.tensors().size() == some_tensors().size());
  for (const PickledTensor& tensor : some_tensors()) {
    CAPTURE(tensor.name);
    REQUIRE(file.find(tensor.name) >= 0);
    const auto index = static_cast<std::size_t>(file.find(tensor.name));
    CHECK(file.tensors()[index].shape == tensor.shape);
    CHECK(file.tensors()[index].type == weights::ElementType::f32);
    CHECK(file.read(index) == tensor.values);
  }
}

TEST_CASE("state dicts of every pickle protocol read alike, zipped and legacy") {
  for (const int protocol : {0, 1, 2, 3, 4, 5}) {
    CAPTURE(protocol);
    check_contents(torch_zip(protocol, some_tensors()), "pytorch zip");
    check_contents(torch_legacy(protocol, some_tensors()), "pytorch legacy");
  }
}

TEST_CASE("every prefix of them is refused in one line") {
  const std::vector<PickledTensor> one{some_tensors().front()};
  for (const int protocol : {0, 1, 5}) {
    for (const auto& whole : {torch_zip(protocol, one), torch_legacy(protocol, one)}) {
      for (std::size_t length = 1; length < whole.size(); ++length) {
        CAPTURE(protocol);
        CAPTURE(length);
        const std::string message =
            refusal([&] { WeightFile::from_memory("cut.pth", std::span(whole).first(length)); });
        CHECK(message.starts_with("cut.pth: "));
        CHECK(message.find('\n') == std::string::npos);
      }
    }
  }
}

// Python's own pickler writes the persistent id of protocol 0 as a line of text, which torch itself cannot load.
TEST_CASE("a persistent id as a line of text is refused") {
  std::vector<std::byte> bytes = torch_legacy(0, {some_tensors().front()});
  const auto persistent = std::find(bytes.begin(), bytes.end(), std::byte{'Q'});
  REQUIRE(persistent != bytes.end());
  const std::string line = "P('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 6)\n";
  const auto replacement = std::as_bytes(std::span(line));
  bytes.insert(bytes.erase(persistent), replacement.begin(), replacement.end());
  CHECK(refusal([&] { WeightFile::from_memory("text.pth", bytes); }).starts_with("text.pth: "));
}

TEST_CASE("an unknown protocol is refused by its number") {
  std::vector<std::byte> bytes = torch_legacy(5, {some_tensors().front()});
  bytes[1] = std::byte{6};
  CHECK(refusal([&] { WeightFile::from_memory("new.pth", bytes); }).find("protocol 6") != std::string::npos);
}

}  // namespace
}  // namespace blindspot::tests
