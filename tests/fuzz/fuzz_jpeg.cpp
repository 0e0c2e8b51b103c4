// Fuzzes the JPEG checks (markers, tables, entropy-coded data) and the decoder behind them. Uses engine/images.
#include <vector>

#include "blindspot/image.h"
#include "engine/images/jpeg_entropy.h"
#include "engine/images/jpeg_structure.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace blindspot;

// What is decoded here; larger pictures are checked and left, since their pixels may take more than the bound, and
// still larger ones only parsed: a few bytes of a progressive file say "nothing" for millions of blocks.
constexpr std::int64_t most_decoded = std::int64_t{1} << 16, most_followed = std::int64_t{1} << 20;

void read(fuzz::Bytes bytes) {
  if (!images::has_jpeg_signature(bytes)) return;
  images::JpegStructure structure = images::parse_jpeg(bytes, "input.jpg");
  const std::int64_t pixels = std::int64_t{structure.width} * structure.height;
  if (pixels > most_followed) return;
  images::check_entropy_coded_data(structure, bytes, "input.jpg");
  const std::vector<std::uint8_t> canonical = images::canonical_jpeg(structure, bytes);
  if (pixels > most_decoded) return;
  to_image(decode_picture(bytes, "input.jpg"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  fuzz::run_bounded(size, [&] { read(bytes); });
  return 0;
}
