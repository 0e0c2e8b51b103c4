// Numbers as text: strict reading of those that stand in options, the whole text or nothing; shapes, and
// counts of things. Uses the public error type only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blindspot::tools {

// Each that reads throws Error(usage) that names `option`, what was given and what it must be.

/// A whole number in [smallest, largest].
std::int64_t read_count(const std::string& option, const std::string& text, std::int64_t smallest,
                        std::int64_t largest);
/// An unsigned 64-bit number.
std::uint64_t read_seed(const std::string& option, const std::string& text);
/// A finite float32; ranges are checked by whoever knows them.
float read_number(const std::string& option, const std::string& text);
/// The same as a double.
double read_double(const std::string& option, const std::string& text);
/// "R,G,B": three finite numbers.
std::array<float, 3> read_channels(const std::string& option, const std::string& text);

/// "[64, 3, 7, 7]".
std::string shape_text(const std::vector<std::int64_t>& shape);
/// "1 pair", "3 pairs".
template <class Number>
std::string counted(Number number, std::string_view noun) {
  std::string text = std::to_string(number);
  text.append(" ").append(noun);
  return number == 1 ? text : text + "s";
}

}  // namespace blindspot::tools
