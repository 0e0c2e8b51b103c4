// What the tests of weight files share: reading the fixtures' indices and files, and a ResNet-20's declaration.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "weights/state.h"

namespace blindspot::tests {

inline std::vector<std::byte> bytes_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto bytes = std::as_bytes(std::span(chars));
  return {bytes.begin(), bytes.end()};
}

inline nlohmann::json json_of(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return nlohmann::json::parse(stream);
}

/// CIFAR ResNet-20, option A: 19 convolutions with batch norm, one linear layer.
inline std::vector<weights::TensorDeclaration> resnet20_declaration() {
  std::vector<weights::TensorDeclaration> tensors;
  const auto convolution_and_norm = [&tensors](const std::string& prefix, const std::string& number, std::int64_t out,
                                               std::int64_t in) {
    tensors.push_back({fmt::format("{}conv{}.weight", prefix, number), {out, in, 3, 3}});
    for (const char* const part : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.push_back({fmt::format("{}bn{}.{}", prefix, number, part), {out}});
    }
  };
  convolution_and_norm("", "1", 16, 3);
  std::int64_t in = 16;
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t out = std::int64_t{8} << stage;
    for (int block = 0; block < 3; ++block) {
      const std::string prefix = "layer" + std::to_string(stage) + "." + std::to_string(block) + ".";
      convolution_and_norm(prefix, "1", out, in);
      convolution_and_norm(prefix, "2", out, out);
      in = out;
    }
  }
  tensors.push_back({"linear.weight", {10, 64}});
  tensors.push_back({"linear.bias", {10}});
  return tensors;
}

/// The message of the Error(input) that `action` throws; empty if it throws none.
template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::input ? error.what() : "";
  }
  return "";
}

}  // namespace blindspot::tests
