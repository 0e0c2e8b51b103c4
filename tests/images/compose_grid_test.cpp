// Captions and grids: sizes, whole magnification, white around, ink beneath, and a font that has every character.
#include <set>

#include "engine/images/caption_font.h"
#include "tests/images/comparing.h"

namespace blindspot::tests {
namespace {

const std::uint8_t* pixel(const Picture& picture, int x, int y) {
  return picture.rgb.data() +
         3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(picture.width) + static_cast<std::size_t>(x));
}

/// Whether any pixel of the rows [top, bottom) is dark.
bool has_ink(const Picture& picture, int top, int bottom) {
  for (int y = top; y < bottom; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      if (pixel(picture, x, y)[0] < 64) return true;
    }
  }
  return false;
}

TEST_CASE("every printable character has a shape of its own") {
  std::set<std::string> shapes;
  for (char character = ' '; character <= '~'; ++character) {
    std::string shape;
    for (int y = 0; y < images::glyph_height; ++y) {
      for (int x = 0; x < images::glyph_width; ++x) shape += images::glyph_has_ink(character, x, y) ? '#' : '.';
    }
    CHECK((shape.find('#') == std::string::npos) == (character == ' '));
    shapes.insert(shape);
  }
  CHECK(shapes.size() == 95);
  CHECK(images::glyph_has_ink('\x80', 2, 6) == images::glyph_has_ink('?', 2, 6));
}

TEST_CASE("a small image is magnified by a whole factor, its pixels unchanged") {
  const Picture source = made_picture(32, 32);
  const Picture picture = compose_grid({{{source, "p 0.987"}, {source, ""}}});
  constexpr int factor = 4, margin = 16;
  for (int y = 0; y < 32 * factor; ++y) {
    for (int x = 0; x < 32 * factor; ++x) {
      const std::uint8_t* expected = pixel(source, x / factor, y / factor);
      REQUIRE(std::equal(expected, expected + 3, pixel(picture, margin + x, margin + y)));
    }
  }
  CHECK(pixel(picture, 0, 0)[0] == 255);
  CHECK(pixel(picture, picture.width - 1, picture.height - 1)[2] == 255);
}

TEST_CASE("captions stand beneath, and their longest line fits") {
  const Picture white{224, 224, std::vector<std::uint8_t>(std::size_t{3} * 224 * 224, 255)};
  const Picture plain = compose_grid({{{white, ""}}});
  const Picture captioned = compose_grid({{{white, "0.99\nsecond line"}}});
  CHECK(plain.width == captioned.width);
  CHECK(captioned.height > plain.height + 30);
  CHECK_FALSE(has_ink(captioned, 0, 16 + 224));
  CHECK(has_ink(captioned, 16 + 224, captioned.height));
  const Picture wide = compose_grid({{{white, std::string(40, 'W')}}});
  CHECK(wide.width >= 40 * 12);
  for (int y = 0; y < wide.height; ++y) {
    CHECK(pixel(wide, 0, y)[0] == 255);
    CHECK(pixel(wide, wide.width - 1, y)[0] == 255);
  }
}

TEST_CASE("rows may be of unequal length, images may not be of unequal size") {
  const Picture small = made_picture(8, 8), other = made_picture(9, 8);
  CHECK(compose_grid({{{small, "a"}}, {{small, "b"}, {small, "c"}}}).width > 2 * 112);
  CHECK_THROWS_AS(compose_grid({{{small, ""}, {other, ""}}}), Error);
  CHECK_THROWS_AS(compose_grid({}), Error);
}

}  // namespace
}  // namespace blindspot::tests
