// Images given as safetensors files: names, values as they are, and everything that is refused.
#include "tests/images/comparing.h"
#include "tests/shared_material.h"
#include "tests/temporary_folder.h"
#include "weights/safetensors_writer.h"

namespace blindspot::tests {
namespace {

std::filesystem::path write_tensor(const TemporaryFolder& folder, const std::string& file, const std::string& tensor,
                                   const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  weights::write_safetensors(folder.path() / file, {}, {weights::float_tensor(tensor, shape, values)});
  return folder.path() / file;
}

Preprocessing of_size(int size) {
  Preprocessing preprocessing;
  preprocessing.input_size = preprocessing.crop = size;
  preprocessing.resize = 0;
  return preprocessing;
}

TEST_CASE("images of a safetensors file are used as they are") {
  const TemporaryFolder folder;
  std::vector<float> values(std::size_t{2} * 3 * 2 * 2);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 32.0F;
  const auto several = write_tensor(folder, "several.safetensors", "image", {2, 3, 2, 2}, values);
  const std::vector<NamedImage> two = load_images(several, of_size(2));
  REQUIRE(two.size() == 2);
  CHECK(two[1].name == several.string() + "[1]");
  CHECK(two[1].image.height == 2);
  CHECK(two[0].image.values == std::vector<float>(values.begin(), values.begin() + 12));
  CHECK(two[1].image.values == std::vector<float>(values.begin() + 12, values.end()));
  values.resize(12);
  const auto single = write_tensor(folder, "single.safetensors", "image", {3, 2, 2}, values);
  const std::vector<NamedImage> one = load_images(single, of_size(2));
  REQUIRE(one.size() == 1);
  CHECK(one[0].name == single.string());
  CHECK(one[0].image.values == values);
}

TEST_CASE("an image of another size than the network's is refused with both sizes") {
  const TemporaryFolder folder;
  const auto path = write_tensor(folder, "small.safetensors", "image", {3, 2, 2}, std::vector<float>(12, 0.5F));
  try {
    load_images(path, of_size(32));
    FAIL("accepted");
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(error.kind() == ErrorKind::input);
    CHECK(message.find(path.string()) != std::string::npos);
    CHECK(message.find("2x2") != std::string::npos);
    CHECK(message.find("32x32") != std::string::npos);
  }
}

TEST_CASE("a picture is loaded through the preprocessing under its path") {
  const TemporaryFolder folder;
  const Picture picture = made_picture(8, 8);
  write_png(folder.path() / "a.png", picture);
  const std::vector<NamedImage> loaded = load_images(folder.path() / "a.png", of_size(8));
  REQUIRE(loaded.size() == 1);
  CHECK(loaded[0].name == (folder.path() / "a.png").string());
  CHECK(loaded[0].image.values == to_image(picture).values);
}

TEST_CASE("bad tensor images are refused by name and cause") {
  const auto folder = shared_material("fixtures/images/bad");
  if (!folder) return;
  int refused = 0;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const std::filesystem::path path = *folder / entry["file"].get<std::string>();
    if (path.extension() != ".safetensors") continue;
    CAPTURE(path.string());
    try {
      load_images(path, of_size(8));
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
      CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
      ++refused;
    }
  }
  CHECK(refused == 11);
}

}  // namespace
}  // namespace blindspot::tests
