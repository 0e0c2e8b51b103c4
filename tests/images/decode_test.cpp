// Good pictures: every form of PNG and JPEG in ../shared against the pixels PIL gives, and photographs against their
// measured means and crops.
#include <cmath>

#include "tests/images/comparing.h"
#include "tests/shared_material.h"

namespace blindspot::tests {
namespace {

/// A JPEG decoder need not agree in every byte; chroma halved in one direction only is interpolated differently.
struct Bound {
  int largest = 3;
  double mean = 0.12;
};

Bound bound_for(const std::string& file) {
  return file == "baseline-422.jpg" ? Bound{20, 0.3} : Bound{};
}

TEST_CASE("PNG files of every form give PIL's pixels") {
  const auto folder = shared_material("fixtures/images/png");
  if (!folder) return;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const std::string file = entry["file"];
    CAPTURE(file);
    const std::string expected = entry.value("expected_high_byte", entry["expected"].get<std::string>());
    const Difference found = difference(read_picture(*folder / file), read_picture(*folder / expected));
    if (entry.value("jpeg", false)) {
      CHECK(found.largest <= Bound{}.largest);
      CHECK(found.mean <= Bound{}.mean);
    } else {
      CHECK(found.largest == 0);
    }
  }
}

TEST_CASE("JPEG files of every form are within a decoder's freedom of PIL's pixels") {
  const auto folder = shared_material("fixtures/images/jpeg");
  if (!folder) return;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const std::string file = entry["file"];
    CAPTURE(file);
    const Difference found =
        difference(read_picture(*folder / file), read_picture(*folder / entry["expected"].get<std::string>()));
    CHECK(found.largest <= bound_for(file).largest);
    CHECK(found.mean <= bound_for(file).mean);
  }
}

Picture crop_of(const Picture& picture, int left, int top, int size) {
  Picture crop{size, size, {}};
  for (int y = top; y < top + size; ++y) {
    const auto begin = picture.rgb.begin() + 3 * (std::ptrdiff_t{y} * picture.width + left);
    crop.rgb.insert(crop.rgb.end(), begin, begin + 3 * std::ptrdiff_t{size});
  }
  return crop;
}

/// Mean of a channel over rows [top, bottom) and columns [left, right).
double mean_of(const Picture& picture, std::size_t channel, int left, int right, int top, int bottom) {
  double sum = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x)
      sum += picture.rgb[3 * static_cast<std::size_t>(y * picture.width + x) + channel];
  }
  return sum / ((right - left) * (bottom - top));
}

void check_sample(const Picture& picture, const nlohmann::json& sample, const std::filesystem::path& expected) {
  REQUIRE(picture.width == sample["width"].get<int>());
  REQUIRE(picture.height == sample["height"].get<int>());
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(mean_of(picture, c, 0, picture.width, 0, picture.height) - sample["mean"][c].get<double>()) < 0.12);
  }
  const Picture crop = read_picture(expected / sample["crop"].get<std::string>());
  const Difference found = difference(crop_of(picture, sample["crop_left"], sample["crop_top"], crop.width), crop);
  CHECK(found.largest <= Bound{}.largest);
  CHECK(found.mean <= Bound{}.mean);
  if (!sample.contains("preprocessed")) return;
  const Picture small = preprocess(picture, {});
  const Picture wanted = read_picture(expected / sample["preprocessed"]["bilinear-256"]["file"].get<std::string>());
  const Difference after = difference(small, wanted);
  CHECK(after.largest <= 2);
  CHECK(after.mean <= Bound{}.mean);
}

TEST_CASE("photographs decode and preprocess as PIL and torchvision do") {
  const auto expected = shared_material("fixtures/images/jpeg");
  const auto photographs = shared_material("data/imagenet-sample");
  if (!expected || !photographs) return;
  const nlohmann::json samples = read_json(*expected / "samples.json");
  CHECK(samples.size() == 12);
  for (const auto& entry : samples.items()) {
    const std::string& file = entry.key();
    CAPTURE(file);
    check_sample(read_picture(*photographs / file), entry.value(), *expected);
  }
}

}  // namespace
}  // namespace blindspot::tests
