// Resize and crop: equal to Pillow and torchvision in every byte, the sizes that must not be allocated, and the values
// between 8 bits and float.
#include <cmath>

#include "tests/images/comparing.h"
#include "tests/shared_material.h"

namespace blindspot::tests {
namespace {

TEST_CASE("resize and crop equal PIL and torchvision in every byte") {
  const auto folder = shared_material("fixtures/images/preprocess");
  if (!folder) return;
  int compared = 0;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const Picture picture = read_picture(*folder / entry["file"].get<std::string>());
    for (const auto& result : entry["expected"].items()) {
      const std::string& how = result.key();
      const std::string expected = result.value()["file"];
      CAPTURE(expected);
      Preprocessing preprocessing;
      preprocessing.interpolation = how.starts_with("bicubic") ? Interpolation::bicubic : Interpolation::bilinear;
      preprocessing.resize = std::stoi(how.substr(how.find('-') + 1));
      const Picture wanted = read_picture(*folder / expected);
      CHECK(difference(preprocess(picture, preprocessing), wanted).largest == 0);
      ++compared;
    }
  }
  CHECK(compared >= 22);
}

TEST_CASE("a picture at its size is only cropped, halves of the margin to the even number") {
  Preprocessing preprocessing;
  preprocessing.input_size = preprocessing.crop = 4;
  preprocessing.resize = 6;
  const auto left_edge = [&](int width) {
    const Picture picture = made_picture(width, 6);
    const Picture cropped = preprocess(picture, preprocessing);
    REQUIRE(cropped.width == 4);
    REQUIRE(cropped.height == 4);
    for (int left = 0; left + 4 <= width; ++left) {
      const auto begin = picture.rgb.begin() + std::ptrdiff_t{3} * (width + left);
      if (std::equal(begin, begin + 12, cropped.rgb.begin())) return left;
    }
    return -1;
  };
  CHECK(left_edge(6) == 1);
  CHECK(left_edge(7) == 2);   // 1.5
  CHECK(left_edge(9) == 2);   // 2.5
  CHECK(left_edge(11) == 4);  // 3.5
}

TEST_CASE("resize 0 takes both sides to the crop") {
  Preprocessing preprocessing;
  preprocessing.input_size = preprocessing.crop = 32;
  preprocessing.resize = 0;
  const Picture same = made_picture(32, 32);
  CHECK(difference(preprocess(same, preprocessing), same).largest == 0);
  const Picture squeezed = preprocess(made_picture(64, 17), preprocessing);
  CHECK(squeezed.width == 32);
  CHECK(squeezed.height == 32);
  const Picture flat{5, 90, std::vector<std::uint8_t>(std::size_t{3} * 5 * 90, 77)};
  const Picture still_flat{32, 32, std::vector<std::uint8_t>(std::size_t{3} * 32 * 32, 77)};
  for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
    preprocessing.interpolation = interpolation;
    CHECK(difference(preprocess(flat, preprocessing), still_flat).largest == 0);
  }
}

TEST_CASE("a very long picture costs no more than its crop") {
  const Picture line = made_picture(1, 4000000);
  CHECK(preprocess(line, {}).rgb.size() == std::size_t{3} * 224 * 224);
}

TEST_CASE("a resize below the crop is a usage error") {
  Preprocessing preprocessing;
  preprocessing.resize = 200;
  try {
    preprocess(made_picture(8, 8), preprocessing);
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).find("--resize 200") != std::string::npos);
  }
}

TEST_CASE("8 bits to float and back") {
  Picture picture{256, 1, {}};
  for (int k = 0; k < 256; ++k) {
    for (const int value : {k, 255 - k, k / 2}) picture.rgb.push_back(static_cast<std::uint8_t>(value));
  }
  const Image image = to_image(picture);
  for (std::size_t k = 0; k < 256; ++k) {
    CHECK(image.values[k] == static_cast<float>(static_cast<double>(k) / 255.0));
    CHECK(image.values[256 + k] == static_cast<float>(static_cast<double>(255 - k) / 255.0));
  }
  CHECK(to_picture(image).rgb == picture.rgb);
  const Image odd{1, 2, {-1.0F, 2.0F, 0.5F, 0.4999F / 255.0F, std::nanf(""), 0.5001F / 255.0F}};
  CHECK(to_picture(odd).rgb == std::vector<std::uint8_t>{0, 128, 0, 255, 0, 1});
}

}  // namespace
}  // namespace blindspot::tests
