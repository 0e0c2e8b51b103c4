// Numbers and texts of a pickle. Lengths are compared with what is left before anything else. Uses the standard
// library.
#include <fmt/format.h>

#include <charconv>

#include "weights/message.h"
#include "weights/unpickler.h"

namespace blindspot::weights {
namespace {

// Python refuses more than 4300 digits too: converting them takes quadratic time.
constexpr std::size_t most_digits = 4300;

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto tail = [&out](std::uint32_t bits) { out += static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | (code_point >> 6));
    tail(code_point);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | (code_point >> 12));
    tail(code_point >> 6), tail(code_point);
  } else {
    out += static_cast<char>(0xF0 | (code_point >> 18));
    tail(code_point >> 12), tail(code_point >> 6), tail(code_point);
  }
}

/// Protocol 0's raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX. Malformed escapes stay as they are.
std::string decode_raw_unicode_escape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digits = text.substr(i).starts_with("\\u") ? 4 : text.substr(i).starts_with("\\U") ? 8 : 0;
    if (digits > 0 && i + 2 + digits <= text.size()) {
      const char* const first = text.data() + i + 2;
      std::uint32_t code_point = 0;
      const auto parsed = std::from_chars(first, first + digits, code_point, 16);
      if (parsed.ptr == first + digits && code_point <= 0x10FFFF) {
        append_utf8(out, code_point);
        i += 1 + digits;
        continue;
      }
    }
    append_utf8(out, static_cast<std::uint8_t>(text[i]));
  }
  return out;
}

}  // namespace

bool Unpickler::step_number(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push({PickleKind::none});
      return true;
    case 0x88:
      push({PickleKind::boolean, 0, 1});
      return true;
    case 0x89:
      push({PickleKind::boolean, 0, 0});
      return true;
    case 'J':
      push({PickleKind::integer, 0, static_cast<std::int32_t>(take_number(4))});
      return true;
    case 'K':
      push({PickleKind::integer, 0, static_cast<std::int64_t>(take_number(1))});
      return true;
    case 'M':
      push({PickleKind::integer, 0, static_cast<std::int64_t>(take_number(2))});
      return true;
    case 'G':
      take(8), push({PickleKind::floating});
      return true;
    case 'F':
      take_line(), push({PickleKind::floating});
      return true;
    case 'I': {
      const std::string_view line = take_line();
      if (line == "00" || line == "01") {
        push({PickleKind::boolean, 0, line == "01" ? 1 : 0});
      } else {
        push_decimal(line);
      }
      return true;
    }
    case 'L': {
      std::string_view line = take_line();
      if (line.ends_with('L')) line.remove_suffix(1);
      push_decimal(line);
      return true;
    }
    case 0x8A:
      push_little_endian(take(take_number(1)));
      return true;  // LONG1
    case 0x8B:
      push_little_endian(take(take_number(4)));
      return true;  // LONG4; a negative length is a huge one
    default:
      return false;
  }
}

bool Unpickler::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case 'X':
      push_text(take(take_number(4)));
      return true;
    case 0x8C:
      push_text(take(take_number(1)));
      return true;  // SHORT_BINUNICODE
    case 0x8D:
      push_text(take(take_number(8)));
      return true;  // BINUNICODE8
    case 'V':
      push(heap_.make_decoded_text(decode_raw_unicode_escape(take_line())));
      return true;
    // Strings of Python 2.
    case 'T':
      push_text(take(take_number(4)));
      return true;
    case 'U':
      push_text(take(take_number(1)));
      return true;
    case 'S': {
      const std::string_view line = take_line();
      if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) {
        fail("a string has no quotes");
      }
      push_text(line.substr(1, line.size() - 2));
      return true;
    }
    case 'B':
      push(heap_.make_text(PickleKind::bytes, take(take_number(4))));
      return true;
    case 'C':
      push(heap_.make_text(PickleKind::bytes, take(take_number(1))));
      return true;
    case 0x8E:
    case 0x96:  // BINBYTES8, BYTEARRAY8
      push(heap_.make_text(PickleKind::bytes, take(take_number(8))));
      return true;
    default:
      return false;
  }
}

void Unpickler::push_decimal(std::string_view text) {
  if (text.size() > most_digits) fail(fmt::format("a number has {} digits", text.size()));
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) {
    push({PickleKind::integer, 0, value});
  } else if (parsed.ec == std::errc::result_out_of_range && parsed.ptr == text.data() + text.size()) {
    push(heap_.make_text(PickleKind::big_integer, text));
  } else {
    fail("a number is malformed");
  }
}

void Unpickler::push_little_endian(std::string_view bytes) {
  if (bytes.size() > 8) {
    push(heap_.make_text(PickleKind::big_integer, bytes));
    return;
  }
  // Two's complement of that many bytes.
  std::uint64_t value = !bytes.empty() && (static_cast<std::uint8_t>(bytes.back()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  push({PickleKind::integer, 0, static_cast<std::int64_t>(value)});
}

void Unpickler::push_text(std::string_view text) {
  push(heap_.make_text(PickleKind::text, text));
}

std::string_view Unpickler::take(std::uint64_t size) {
  const std::size_t left = program_.size() - position_;
  if (size > left) fail(fmt::format("it is cut off: {} bytes are asked for, {} are left", size, left));
  const auto* const first = reinterpret_cast<const char*>(program_.data()) + position_;
  position_ += static_cast<std::size_t>(size);
  return {first, static_cast<std::size_t>(size)};
}

std::string_view Unpickler::take_line() {
  const std::string_view left(reinterpret_cast<const char*>(program_.data()) + position_, program_.size() - position_);
  const std::size_t end = left.find('\n');
  if (end == std::string_view::npos) fail("it is cut off within a line");
  position_ += end + 1;
  return left.substr(0, end);
}

std::uint64_t Unpickler::take_number(std::size_t bytes) {
  const std::string_view digits = take(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(digits[i]);
  return value;
}

}  // namespace blindspot::weights
