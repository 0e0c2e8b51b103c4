// Fuzzes the PNG checks and the decoder behind them: the bytes as they are, and once more with every chunk's checksum
// put right. Bytes that do not begin as a PNG are parts that one is built of, since no mutation leads through a
// compressed stream to other rows. Uses engine/images and zlib.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "blindspot/image.h"
#include "engine/images/png_structure.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace blindspot;

// What is decoded here; larger pictures are checked and left, since their pixels may take more than the bound.
constexpr std::uint64_t most_decoded = std::uint64_t{1} << 18;

std::uint32_t big_endian(fuzz::Bytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 | std::uint32_t{bytes[at + 2]} << 8 |
         bytes[at + 3];
}

std::vector<std::uint8_t> with_right_checksums(fuzz::Bytes data) {
  std::vector<std::uint8_t> repaired(data.begin(), data.end());
  constexpr std::size_t frame = 12;
  for (std::size_t at = 8; at + frame <= repaired.size();) {
    const std::size_t length = big_endian(repaired, at);
    if (length > repaired.size() - at - frame) break;
    const auto checksum = crc32_z(0, repaired.data() + at + 4, length + 4);
    for (std::size_t i = 0; i < 4; ++i) {
      repaired[at + 8 + length + i] = static_cast<std::uint8_t>(checksum >> (24 - 8 * i) & 255);
    }
    at += length + frame;
  }
  return repaired;
}

void add_big_endian(std::vector<std::uint8_t>& file, std::size_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::uint8_t>(number >> shift & 255));
}

void add_chunk(std::vector<std::uint8_t>& file, const char* type, fuzz::Bytes data) {
  add_big_endian(file, data.size());
  const std::size_t begin = file.size();
  file.insert(file.end(), type, type + 4);
  file.insert(file.end(), data.begin(), data.end());
  add_big_endian(file, crc32_z(0, file.data() + begin, file.size() - begin));
}

/// Width, height, depth and colour type, interlacing, colours of the palette, a byte each; the rest are the rows, which
/// may be too short or too long.
std::vector<std::uint8_t> built_of(fuzz::Bytes parts) {
  constexpr std::array<std::uint8_t, 5> depths{1, 2, 4, 8, 16}, colours{0, 2, 3, 4, 6};
  constexpr std::size_t head = 5;
  std::vector<std::uint8_t> file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}, header;
  add_big_endian(header, parts[0]);
  add_big_endian(header, parts[1]);
  header.push_back(depths.at(parts[2] % depths.size()));
  header.push_back(colours.at(parts[2] / depths.size() % colours.size()));
  header.insert(header.end(), {0, 0, static_cast<std::uint8_t>(parts[3] % 2)});
  add_chunk(file, "IHDR", header);
  const std::vector<std::uint8_t> palette(std::size_t{parts[4]} * 3, 0x55);
  if (!palette.empty()) add_chunk(file, "PLTE", palette);
  const fuzz::Bytes rows = parts.subspan(head);
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::vector<std::uint8_t> packed(size);
  if (compress2(packed.data(), &size, rows.data(), static_cast<uLong>(rows.size()), Z_NO_COMPRESSION) != Z_OK) {
    std::abort();
  }
  add_chunk(file, "IDAT", fuzz::Bytes(packed).first(size));
  add_chunk(file, "IEND", {});
  return file;
}

void read(fuzz::Bytes bytes) {
  fuzz::run_bounded(bytes.size(), [&] {
    if (!images::has_png_signature(bytes)) return;
    const std::vector<std::uint8_t> checked = images::checked_png(bytes, "input.png");
    if (std::uint64_t{big_endian(checked, 16)} * big_endian(checked, 20) > most_decoded) return;
    to_image(decode_picture(bytes, "input.png"));
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  if (size >= 5 && !images::has_png_signature(bytes)) {
    read(built_of(bytes));
    return 0;
  }
  read(bytes);
  const std::vector<std::uint8_t> repaired = with_right_checksums(bytes);
  if (!std::equal(repaired.begin(), repaired.end(), bytes.begin())) read(repaired);
  return 0;
}
