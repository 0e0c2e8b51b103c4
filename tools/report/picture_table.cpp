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

constexpr int detail_quality = 82, thumbnail_quality = 72;

void append(void* context, void* data, int size) {
  auto& bytes = *static_cast<std::vector<std::uint8_t>*>(context);
  const auto* begin = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), begin, begin + size);
}

std::vector<std::uint8_t> encode_jpeg(const Picture& picture) {
  const bool small = std::max(picture.width, picture.height) <= thumbnail_side;
  const int quality = small ? thumbnail_quality : detail_quality;
  std::vector<std::uint8_t> bytes;
  if (stbi_write_jpg_to_func(append, &bytes, picture.width, picture.height, 3, picture.rgb.data(), quality) == 0) {
    throw Error(ErrorKind::device, "a picture of the report could not be encoded: out of memory");
  }
  return bytes;
}

Picture shrunk(const Picture& picture, int side) {
  Preprocessing smaller;
  smaller.input_size = smaller.resize = smaller.crop = side;
  return preprocess(picture, smaller);
}

}  // namespace

std::string data_address(const Picture& picture, int side) {
  const int largest = std::max(picture.width, picture.height);
  if (largest <= std::min(side, largest_exact_side)) return "data:image/png;base64," + base64(encode_png(picture));
  return "data:image/jpeg;base64," + base64(encode_jpeg(largest <= side ? picture : shrunk(picture, side)));
}

int PictureTable::add(const Picture& picture, int side) {
  if (picture.rgb.empty()) return -1;
  std::string address = data_address(picture, side);
  const auto [found, is_new] = numbers_.emplace(address, static_cast<int>(addresses_.size()));
  if (is_new) addresses_.push_back(std::move(address));
  return found->second;
}

}  // namespace blindspot::tools::report
