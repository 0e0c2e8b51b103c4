// Element types: a table, and one conversion for each. Uses the standard library.
#include "weights/element_type.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace blindspot::weights {
namespace {

struct TypeDescription {
  std::string_view name;
  std::int64_t size;
};

// In the order of ElementType.
constexpr std::array<TypeDescription, 15> type_descriptions = {{{"F64", 8},
                                                                {"F32", 4},
                                                                {"F16", 2},
                                                                {"BF16", 2},
                                                                {"F8_E4M3", 1},
                                                                {"F8_E5M2", 1},
                                                                {"I64", 8},
                                                                {"I32", 4},
                                                                {"I16", 2},
                                                                {"I8", 1},
                                                                {"U64", 8},
                                                                {"U32", 4},
                                                                {"U16", 2},
                                                                {"U8", 1},
                                                                {"BOOL", 1}}};

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

float from_half(std::uint16_t bits) {
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  const int exponent = (bits >> 10) & 0x1F;
  const auto fraction = static_cast<float>(bits & 0x3FF);
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  if (exponent < 31) return sign * std::ldexp(1024.0F + fraction, exponent - 25);
  return sign * (fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN());
}

/// Three fraction bits, bias 7, no infinity; all ones is NaN.
float from_e4m3(std::uint8_t bits) {
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  const int exponent = (bits >> 3) & 0xF;
  const auto fraction = static_cast<float>(bits & 0x7);
  if ((bits & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, -9);
  return sign * std::ldexp(8.0F + fraction, exponent - 10);
}

/// A half without its low byte.
float from_e5m2(std::uint8_t bits) {
  return from_half(static_cast<std::uint16_t>(bits << 8));
}

float from_boolean(std::uint8_t bits) {
  return bits != 0 ? 1.0F : 0.0F;
}

template <typename Element>
float from_number(Element value) {
  return static_cast<float>(value);
}

template <typename Element, typename Conversion>
std::vector<float> convert(std::span<const std::byte> elements, Conversion conversion) {
  std::vector<float> out(elements.size() / sizeof(Element));
  for (std::size_t i = 0; i < out.size(); ++i) {
    Element element;
    std::memcpy(&element, elements.data() + i * sizeof(Element), sizeof(Element));
    out[i] = conversion(element);
  }
  return out;
}

}  // namespace

std::string to_string(ElementType type) {
  return std::string(type_descriptions[static_cast<std::size_t>(type)].name);
}

std::int64_t size_of(ElementType type) {
  return type_descriptions[static_cast<std::size_t>(type)].size;
}

std::optional<ElementType> element_type_named(std::string_view name) {
  for (std::size_t i = 0; i < type_descriptions.size(); ++i) {
    if (type_descriptions[i].name == name) return static_cast<ElementType>(i);
  }
  return std::nullopt;
}

std::vector<float> to_float32(ElementType type, std::span<const std::byte> elements) {
  switch (type) {
    case ElementType::f64:
      return convert<double>(elements, from_number<double>);
    case ElementType::f32: {
      std::vector<float> out(elements.size() / sizeof(float));
      if (!out.empty()) std::memcpy(out.data(), elements.data(), out.size() * sizeof(float));
      return out;
    }
    case ElementType::f16:
      return convert<std::uint16_t>(elements, from_half);
    case ElementType::bf16:
      return convert<std::uint16_t>(elements, from_bfloat16);
    case ElementType::f8_e4m3:
      return convert<std::uint8_t>(elements, from_e4m3);
    case ElementType::f8_e5m2:
      return convert<std::uint8_t>(elements, from_e5m2);
    case ElementType::i64:
      return convert<std::int64_t>(elements, from_number<std::int64_t>);
    case ElementType::i32:
      return convert<std::int32_t>(elements, from_number<std::int32_t>);
    case ElementType::i16:
      return convert<std::int16_t>(elements, from_number<std::int16_t>);
    case ElementType::i8:
      return convert<std::int8_t>(elements, from_number<std::int8_t>);
    case ElementType::u64:
      return convert<std::uint64_t>(elements, from_number<std::uint64_t>);
    case ElementType::u32:
      return convert<std::uint32_t>(elements, from_number<std::uint32_t>);
    case ElementType::u16:
      return convert<std::uint16_t>(elements, from_number<std::uint16_t>);
    case ElementType::u8:
      return convert<std::uint8_t>(elements, from_number<std::uint8_t>);
    case ElementType::boolean:
      return convert<std::uint8_t>(elements, from_boolean);
  }
  throw Error(ErrorKind::fault, "an element type without a conversion");
}

std::optional<std::int64_t> checked_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

std::int64_t TensorInformation::count() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

}  // namespace blindspot::weights
