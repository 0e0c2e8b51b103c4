// Text of files and of callers as a terminal may get it. Uses the standard library.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace blindspot {

/// Gives `text` to `put` in pieces, each a byte as it is or a control character as \\x1b: what that would do to a
/// terminal, or to one line, is not for a file to say. `put` takes a std::string_view. Asks for no memory.
template <typename Put>
void put_on_one_line(std::string_view text, const Put& put) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte_at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    // U+0080 to U+009F are controls too; in UTF-8 they start with 0xC2.
    const bool is_two = byte_at(i) == 0xC2 && i + 1 < text.size() && byte_at(i + 1) < 0xA0;
    if (!is_two && byte_at(i) >= 0x20 && byte_at(i) != 0x7F) {
      put(text.substr(i, 1));
      continue;
    }
    std::array<char, 8> escape{};
    std::size_t length = 0;
    const auto add = [&](unsigned char byte) {
      for (const char letter : {'\\', 'x', digits[byte >> 4], digits[byte & 15]}) escape.at(length++) = letter;
    };
    add(byte_at(i));
    if (is_two) add(byte_at(++i));
    put(std::string_view(escape.data(), length));
  }
}

inline std::string one_line(std::string_view text) {
  std::string line;
  put_on_one_line(text, [&line](std::string_view piece) { line += piece; });
  return line;
}

}  // namespace blindspot
