// The drawn pictures: the same bits on every system and compiler, every class its own figure, nothing repeated. Uses
// blindspot/demo.h alone.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "blindspot/demo.h"
#include "blindspot/error.h"

namespace {

using blindspot::draw_picture;
using blindspot::Picture;

/// FNV-1a, 64 bits.
std::uint64_t hash_of(const Picture& picture, std::uint64_t hash = 0xCBF29CE484222325U) {
  for (const std::uint8_t byte : picture.rgb) hash = (hash ^ byte) * 0x100000001B3U;
  return hash;
}

}  // namespace

TEST_CASE("a drawn picture is 32 by 32 and belongs to one of ten classes in the order of their names") {
  const std::vector<std::string>& names = blindspot::drawn_class_names();
  CHECK(names.size() == 10);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 10);
  for (std::size_t k = 1; k < names.size(); ++k) CHECK(names[k - 1] < names[k]);
  const Picture picture = draw_picture(0, 0, 0);
  CHECK(picture.width == blindspot::drawn_picture_size);
  CHECK(picture.height == blindspot::drawn_picture_size);
  CHECK(picture.rgb.size() == 3 * 32 * 32);
}

TEST_CASE("a class that does not exist is refused") {
  CHECK_THROWS_AS(draw_picture(-1, 0, 0), blindspot::Error);
  CHECK_THROWS_WITH_AS(draw_picture(10, 0, 0), "class 10 of the drawn pictures: there are 0 to 9", blindspot::Error);
}

TEST_CASE("a thousand pictures of each class have the bits that they always had") {
  const std::vector<std::uint64_t> expected{
      0xFC6F3439C392DF92U, 0x23F4C3003ACA7E80U, 0x0E316C99AE02E9F5U, 0x4FAD6E4E6C51395EU, 0xB61AAE495C89BAA0U,
      0xEFAB2DF2C6FF0D63U, 0xF6DD0C63EB2F8C7DU, 0xDAF6597BD9AB1174U, 0xC6FFC62618F4D53BU, 0xBEBF70C475943E41U};
  for (int label = 0; label < 10; ++label) {
    CAPTURE(label);
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (std::uint64_t number = 0; number < 1000; ++number) hash = hash_of(draw_picture(label, number, 2), hash);
    CHECK(hash == expected[static_cast<std::size_t>(label)]);
  }
}

TEST_CASE("label, number and seed each make another picture, and far numbers are allowed") {
  std::set<std::uint64_t> seen;
  for (int label = 0; label < 10; ++label) {
    for (const std::uint64_t number : {0U, 1U, 2U}) {
      for (const std::uint64_t seed : {0U, 1U, 2U}) seen.insert(hash_of(draw_picture(label, number, seed)));
    }
  }
  seen.insert(hash_of(draw_picture(0, ~std::uint64_t{0}, ~std::uint64_t{0})));
  CHECK(seen.size() == 91);
}

TEST_CASE("pictures are neither blank nor burnt out") {
  for (int label = 0; label < 10; ++label) {
    for (std::uint64_t number = 0; number < 50; ++number) {
      CAPTURE(label);
      CAPTURE(number);
      const Picture picture = draw_picture(label, number, 3);
      std::set<std::uint8_t> values(picture.rgb.begin(), picture.rgb.end());
      CHECK(values.size() > 16);
    }
  }
}
