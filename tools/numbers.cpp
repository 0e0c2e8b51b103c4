// Implementation of numbers.h.
#include "tools/numbers.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "blindspot/error.h"

namespace blindspot::tools {

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& text, const std::string& wanted) {
  throw Error(ErrorKind::usage, fmt::format("{} {}: it must be {}", option, text.empty() ? "\"\"" : text, wanted));
}

template <typename Number>
bool read_whole(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end;
}

}  // namespace

std::int64_t read_count(const std::string& option, const std::string& text, std::int64_t smallest,
                        std::int64_t largest) {
  std::int64_t number = 0;
  if (!read_whole(text, number) || number < smallest || number > largest) {
    refuse(option, text, fmt::format("a whole number from {} to {}", smallest, largest));
  }
  return number;
}

std::uint64_t read_seed(const std::string& option, const std::string& text) {
  std::uint64_t number = 0;
  if (!read_whole(text, number)) refuse(option, text, "a whole number from 0 to 18446744073709551615");
  return number;
}

float read_number(const std::string& option, const std::string& text) {
  float number = 0;
  if (!read_whole(text, number) || !std::isfinite(number)) refuse(option, text, "a finite number such as 0.01");
  return number;
}

double read_double(const std::string& option, const std::string& text) {
  double number = 0;
  if (!read_whole(text, number) || !std::isfinite(number)) refuse(option, text, "a finite number such as 0.01");
  return number;
}

std::array<float, 3> read_channels(const std::string& option, const std::string& text) {
  std::array<float, 3> channels{};
  std::size_t start = 0;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const std::size_t comma = text.find(',', start);
    const bool last = c + 1 == channels.size();
    const std::string part = text.substr(start, comma == std::string::npos ? comma : comma - start);
    if (last != (comma == std::string::npos) || !read_whole(part, channels[c]) || !std::isfinite(channels[c])) {
      refuse(option, text, "three finite numbers R,G,B such as 0.485,0.456,0.406");
    }
    start = comma + 1;
  }
  return channels;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", extent);
  return "[" + text + "]";
}

}  // namespace blindspot::tools
