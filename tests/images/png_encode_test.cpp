// The PNG writer: what it writes reads back the same, compresses, and never leaves a half file.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/images/comparing.h"

namespace blindspot::tests {
namespace {

TEST_CASE("what the PNG writer writes reads back the same") {
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{{1, 1}, {1, 9}, {7, 1}, {32, 32}, {37, 23}}) {
    const Picture picture = made_picture(width, height);
    CHECK(difference(decode_picture(encode_png(picture), "made.png"), picture).largest == 0);
  }
}

TEST_CASE("a smooth picture compresses far below its size") {
  Picture smooth{256, 256, {}};
  for (int i = 0; i < 256 * 256; ++i) {
    for (const int value : {i % 256, i / 256, 90}) smooth.rgb.push_back(static_cast<std::uint8_t>(value));
  }
  CHECK(encode_png(smooth).size() < smooth.rgb.size() / 50);
}

TEST_CASE("PNG files are written whole or not at all") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("blindspot-png-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Picture first = made_picture(5, 4), second = made_picture(6, 3);
  write_png(folder / "a.png", first);
  write_png(folder / "a.png", second);
  CHECK(difference(read_picture(folder / "a.png"), second).largest == 0);
  std::filesystem::create_directories(folder / "taken.png" / "inside");
  for (const auto& path : {folder / "missing" / "b.png", folder / "taken.png"}) {
    try {
      write_png(path, first);
      FAIL("written");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
      CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
    }
  }
  const auto entries =
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
  CHECK(entries == 2);  // a.png and taken.png: nothing temporary is left
  std::filesystem::remove_all(folder);
}

TEST_CASE("a picture whose values do not fit its size is a fault") {
  CHECK_THROWS_AS(encode_png(Picture{2, 2, {1, 2, 3}}), Error);
}

}  // namespace
}  // namespace blindspot::tests
