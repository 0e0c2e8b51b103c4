// What the tests of this room share: reading an index, comparing pictures, and a made-up picture. Uses the public
// interface, nlohmann-json and doctest.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::tests {

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

inline std::vector<std::uint8_t> read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Difference {
  int largest = 0;
  double mean = 0;
};

/// Of two pictures; unequal sizes count as the greatest difference.
inline Difference difference(const Picture& a, const Picture& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return {256, 256.0};
  Difference found;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const int apart = std::abs(int{a.rgb[i]} - int{b.rgb[i]});
    found.largest = std::max(found.largest, apart);
    found.mean += apart;
  }
  found.mean /= static_cast<double>(a.rgb.size());
  return found;
}

/// Gradients with some noise from a small congruential generator.
inline Picture made_picture(int width, int height) {
  Picture picture{width, height, {}};
  std::uint32_t state = 12345;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525U + 1013904223U;
        picture.rgb.push_back(
            static_cast<std::uint8_t>((x * (3 + c) + y * (7 - c) + static_cast<int>(state >> 27)) & 255));
      }
    }
  }
  return picture;
}

/// The message of the Error(input) that decoding throws; nothing if the bytes are accepted.
inline std::optional<std::string> refusal(std::span<const std::uint8_t> bytes, const std::string& name) {
  try {
    decode_picture(bytes, name);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::input);
    const std::string message = error.what();
    CHECK(message.starts_with(name));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return std::nullopt;
}

}  // namespace blindspot::tests
