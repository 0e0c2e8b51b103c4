// A small PNG encoder: 8-bit RGB, each row with the filter whose differences are smallest, deflate at level 6. Uses
// zlib and weights/temporary_file.h.
#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <limits>

#include "blindspot/image.h"
#include "engine/images/png_chunks.h"
#include "engine/images/png_filter.h"
#include "weights/temporary_file.h"

namespace blindspot {
namespace {

constexpr int compression_level = 6;

/// One row behind its filter type; the filter with the least sum of absolute differences is taken.
void append_row(std::vector<std::uint8_t>& out, std::span<const std::uint8_t> row,
                std::span<const std::uint8_t> above) {
  std::vector<std::uint8_t> best, filtered(row.size() + 1);
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (int filter = 0; filter < 5; ++filter) {
    std::uint64_t cost = 0;
    filtered[0] = static_cast<std::uint8_t>(filter);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const int left = i >= 3 ? row[i - 3] : 0, up = above.empty() ? 0 : above[i];
      const int up_left = i >= 3 && !above.empty() ? above[i - 3] : 0;
      const auto difference =
          static_cast<std::uint8_t>(row[i] - images::predicted_by_filter(filter, left, up, up_left));
      filtered[i + 1] = difference;
      cost += difference < 128 ? difference : 256U - difference;
    }
    if (cost < best_cost) {
      best_cost = cost;
      best = filtered;
    }
  }
  out.insert(out.end(), best.begin(), best.end());
}

std::vector<std::uint8_t> compressed(const std::vector<std::uint8_t>& bytes) {
  uLongf size = compressBound(bytes.size());
  std::vector<std::uint8_t> out(size);
  if (compress2(out.data(), &size, bytes.data(), bytes.size(), compression_level) != Z_OK) {
    throw Error(ErrorKind::device, "out of memory while writing a PNG file");
  }
  out.resize(size);
  return out;
}

}  // namespace

namespace images {

void append_big_endian(std::vector<std::uint8_t>& out, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift & 255));
}

void append_chunk(std::vector<std::uint8_t>& out, std::string_view type, std::span<const std::uint8_t> data) {
  append_big_endian(out, data.size());
  const std::size_t begin = out.size();
  out.insert(out.end(), type.begin(), type.end());
  out.insert(out.end(), data.begin(), data.end());
  append_big_endian(out, crc32_z(0, out.data() + begin, out.size() - begin));
}

std::vector<std::uint8_t> png_beginning(const Picture& picture) {
  std::vector<std::uint8_t> out{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  std::vector<std::uint8_t> header;
  append_big_endian(header, static_cast<std::size_t>(picture.width));
  append_big_endian(header, static_cast<std::size_t>(picture.height));
  constexpr std::array<std::uint8_t, 5> eight_bit_rgb{8, 2, 0, 0, 0};
  header.insert(header.end(), eight_bit_rgb.begin(), eight_bit_rgb.end());
  append_chunk(out, "IHDR", header);
  return out;
}

std::vector<std::uint8_t> png_image_data(const Picture& picture) {
  const auto width = static_cast<std::size_t>(picture.width), height = static_cast<std::size_t>(picture.height);
  if (picture.width < 1 || picture.height < 1 || picture.rgb.size() != 3 * width * height) {
    throw Error(ErrorKind::fault, fmt::format("a picture of {}x{} with {} values cannot be written as PNG",
                                              picture.width, picture.height, picture.rgb.size()));
  }
  std::vector<std::uint8_t> rows;
  rows.reserve((3 * width + 1) * height);
  for (std::size_t y = 0; y < height; ++y) {
    const std::span<const std::uint8_t> values(picture.rgb);
    append_row(rows, values.subspan(3 * width * y, 3 * width),
               y > 0 ? values.subspan(3 * width * (y - 1), 3 * width) : std::span<const std::uint8_t>());
  }
  return compressed(rows);
}

}  // namespace images

std::vector<std::uint8_t> encode_png(const Picture& picture) {
  const std::vector<std::uint8_t> data = images::png_image_data(picture);
  std::vector<std::uint8_t> out = images::png_beginning(picture);
  images::append_chunk(out, "IDAT", data);
  images::append_chunk(out, "IEND", {});
  return out;
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  const std::vector<std::uint8_t> bytes = encode_png(picture);
  weights::TemporaryFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.rename();
}

}  // namespace blindspot
