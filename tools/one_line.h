// Text of files and of callers as a terminal may get it. Uses the standard library.
#pragma once

#include <string>
#include <string_view>

namespace blindspot::tools {

/// Gives `text` to `put` letter by letter, control characters as \\x1b: what they would do to a terminal, or to one
/// line, is not for a file to say. Asks for no memory.
template <typename Put>
void put_on_one_line(std::string_view text, const Put& put) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte_at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    // U+0080 to U+009F are controls too; in UTF-8 they start with 0xC2.
    const bool is_two = byte_at(i) == 0xC2 && i + 1 < text.size() && byte_at(i + 1) < 0xA0;
    if (!is_two && byte_at(i) >= 0x20 && byte_at(i) != 0x7F) {
      put(text[i]);
      continue;
    }
    for (const std::size_t last = i + (is_two ? 1 : 0);; ++i) {
      for (const char letter : {'\\', 'x', digits[byte_at(i) >> 4], digits[byte_at(i) & 15]}) put(letter);
      if (i == last) break;
    }
  }
}

inline std::string one_line(std::string_view text) {
  std::string line;
  put_on_one_line(text, [&line](char letter) { line += letter; });
  return line;
}

}  // namespace blindspot::tools
