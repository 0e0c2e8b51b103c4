// Implementation of picture_table.h. JPEG files are written by stb_image_write.
#include "tools/report/picture_table.h"

#include <algorithm>

#include "tools/report/markup.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace blindspot::tools::report {

namespace {

constexpr int jpeg_quality = 88;

void append(void* context, void* data, int size) {
  auto& bytes = *static_cast<std::vector<std::uint8_t>*>(context);
  const auto* begin = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), begin, begin + size);
}

std::vector<std::uint8_t> encode_jpeg(const Picture& picture) {
  std::vector<std::uint8_t> bytes;
  if (stbi_write_jpg_to_func(append, &bytes, picture.width, picture.height, 3, picture.rgb.data(), jpeg_quality) == 0) {
    throw Error(ErrorKind::device, "a picture of the report could not be encoded: out of memory");
  }
  return bytes;
}

}  // namespace

Picture shrunk(const Picture& picture, int side) {
  if (std::max(picture.width, picture.height) <= side) return picture;
  Preprocessing smaller;
  smaller.input_size = smaller.resize = smaller.crop = side;
  return preprocess(picture, smaller);
}

std::string data_address(const Picture& picture) {
  const bool exact = std::max(picture.width, picture.height) <= largest_exact_side;
  const std::vector<std::uint8_t> bytes = exact ? encode_png(picture) : encode_jpeg(picture);
  return (exact ? "data:image/png;base64," : "data:image/jpeg;base64,") + base64(bytes);
}

int PictureTable::add(const Picture& picture) {
  if (picture.rgb.empty()) return -1;
  std::string address = data_address(picture);
  const auto [found, is_new] = numbers_.emplace(address, static_cast<int>(addresses_.size()));
  if (is_new) addresses_.push_back(std::move(address));
  return found->second;
}

}  // namespace blindspot::tools::report
