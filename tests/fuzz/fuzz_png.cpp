// Fuzzes the PNG checks and the decoder behind them: the bytes as they are, and once more with every chunk's checksum
// put right. Uses engine/images and zlib.
#include <zlib.h>

#include <algorithm>
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
  read(bytes);
  const std::vector<std::uint8_t> repaired = with_right_checksums(bytes);
  if (!std::equal(repaired.begin(), repaired.end(), bytes.begin())) read(repaired);
  return 0;
}
