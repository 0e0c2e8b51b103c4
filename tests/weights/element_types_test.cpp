// Every element type that safetensors names, against values and formulas of the types' own definitions.
#include "weight_fixtures.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace blindspot::tests {
namespace {

using weights::WeightFile;

/// The file must outlive what is read from it.
std::vector<std::byte> file_of(const std::string& type, std::int64_t count, std::string_view data) {
  const nlohmann::json header = {{"t", {{"dtype", type}, {"shape", {count}}, {"data_offsets", {0, data.size()}}}}};
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  bytes += text;
  bytes += data;
  const auto all = std::as_bytes(std::span(bytes));
  return {all.begin(), all.end()};
}

template <typename Element>
std::vector<float> floats_of(const std::string& type, const std::vector<Element>& elements, bool finite_only = true) {
  std::string data(elements.size() * sizeof(Element), '\0');
  std::memcpy(data.data(), elements.data(), data.size());
  const std::vector<std::byte> bytes = file_of(type, static_cast<std::int64_t>(elements.size()), data);
  const WeightFile file = WeightFile::from_memory("made", bytes);
  CHECK(weights::to_string(file.tensors().at(0).type) == type);
  return file.read(0, finite_only);
}

TEST_CASE("whole numbers of every width, their ends among them") {
  const auto check = [](const std::string& type, auto number) {
    CAPTURE(type);
    using Number = decltype(number);
    using Limits = std::numeric_limits<Number>;
    const std::vector<Number> numbers{0, 1, 100, Limits::min(), Limits::max()};
    std::vector<float> expected;
    expected.reserve(numbers.size());
    for (const Number value : numbers) expected.push_back(static_cast<float>(value));
    CHECK(floats_of(type, numbers) == expected);
  };
  check("I8", std::int8_t{});
  check("I16", std::int16_t{});
  check("I32", std::int32_t{});
  check("I64", std::int64_t{});
  check("U8", std::uint8_t{});
  check("U16", std::uint16_t{});
  check("U32", std::uint32_t{});
  check("U64", std::uint64_t{});
  CHECK(floats_of<std::int8_t>("I8", {-1, -128}) == std::vector<float>{-1, -128});
  CHECK(floats_of<std::uint64_t>("U64", {~std::uint64_t{0}}) == std::vector<float>{0x1p64F});
  CHECK(floats_of<std::uint8_t>("BOOL", {0, 1, 2}) == std::vector<float>{0, 1, 1});
}

TEST_CASE("floating-point types wider than eight bits") {
  CHECK(floats_of<double>("F64", {0.1, -1e-40, 1e30}) == std::vector<float>{0.1F, -1e-40F, 1e30F});
  CHECK(floats_of<float>("F32", {0.1F, -1e-40F}) == std::vector<float>{0.1F, -1e-40F});
  CHECK(floats_of<std::uint16_t>("F16", {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400}) ==
        std::vector<float>{1, -2, 65504, 0x1p-24F, 0x1p-14F});
  CHECK(floats_of<std::uint16_t>("BF16", {0x3F80, 0xC000, 0x7F7F, 0x0001}) ==
        std::vector<float>{1, -2, 0x1.FEp127F, 0x1p-133F});
}

/// sign · 2^(exponent − bias) · (1 + fraction/2^bits), subnormals with the exponent 1 and no leading one.
float small_float(unsigned bits, unsigned fraction_bits, int bias) {
  const unsigned fraction = bits & ((1U << fraction_bits) - 1U);
  const int exponent = static_cast<int>((bits & 0x7FU) >> fraction_bits);
  const double significand = std::ldexp(fraction, -static_cast<int>(fraction_bits)) + (exponent > 0 ? 1.0 : 0.0);
  return static_cast<float>(((bits & 0x80U) != 0 ? -1.0 : 1.0) * std::ldexp(significand, std::max(exponent, 1) - bias));
}

void check_all_bytes(const std::string& type, const std::function<float(unsigned)>& expected) {
  std::vector<std::uint8_t> every(256);
  for (unsigned bits = 0; bits < 256; ++bits) every[bits] = static_cast<std::uint8_t>(bits);
  const std::vector<float> values = floats_of(type, every, false);
  REQUIRE(values.size() == 256);
  for (unsigned bits = 0; bits < 256; ++bits) {
    CAPTURE(bits);
    const float wanted = expected(bits);
    if (std::isnan(wanted)) {
      CHECK(std::isnan(values[bits]));
    } else {
      CHECK(std::bit_cast<std::uint32_t>(values[bits]) == std::bit_cast<std::uint32_t>(wanted));
    }
  }
}

TEST_CASE("F8_E4M3: four exponent bits, no infinity, one NaN of each sign") {
  check_all_bytes("F8_E4M3", [](unsigned bits) {
    return (bits & 0x7FU) == 0x7FU ? std::numeric_limits<float>::quiet_NaN() : small_float(bits, 3, 7);
  });
  CHECK(floats_of<std::uint8_t>("F8_E4M3", {0x7E, 0xFE, 0x38, 0x01}) == std::vector<float>{448, -448, 1, 0x1p-9F});
}

TEST_CASE("F8_E5M2: five exponent bits, infinities and NaN as a half has them") {
  check_all_bytes("F8_E5M2", [](unsigned bits) {
    const float sign = (bits & 0x80U) != 0 ? -1.0F : 1.0F;
    if ((bits & 0x7FU) == 0x7CU) return sign * std::numeric_limits<float>::infinity();
    return (bits & 0x7FU) > 0x7CU ? std::numeric_limits<float>::quiet_NaN() : small_float(bits, 2, 15);
  });
  CHECK(floats_of<std::uint8_t>("F8_E5M2", {0x7B, 0xFB, 0x3C, 0x01}) == std::vector<float>{57344, -57344, 1, 0x1p-16F});
}

TEST_CASE("what is no number, or no type, is refused by name") {
  CHECK(refusal([] { floats_of<std::uint8_t>("F8_E4M3", {0x38, 0x7F}); }).find("tensor t") != std::string::npos);
  CHECK(refusal([] { floats_of<std::uint8_t>("F8_E5M2", {0x7C}); }).find("tensor t") != std::string::npos);
  CHECK(refusal([] { floats_of<double>("F64", {1e300}); }).find("tensor t") != std::string::npos);
  for (const char* type : {"F8_E8M0", "F4", "C64", "f32", ""}) {
    CAPTURE(type);
    CHECK_FALSE(refusal([&] { WeightFile::from_memory("made", file_of(type, 1, "x")); }).empty());
  }
  // A size that does not go with the type.
  for (const char* type : {"I16", "U16", "F16", "BF16", "I32", "U32", "F32", "I64", "U64", "F64"}) {
    CAPTURE(type);
    CHECK_FALSE(refusal([&] { WeightFile::from_memory("made", file_of(type, 1, "x")); }).empty());
  }
}

}  // namespace
}  // namespace blindspot::tests
