// Fuzzes the safetensors reader: the bytes as they are, and once more with the header's length put right, so that a
// header that grew or shrank is still reached. Uses weights/weight_file.h.
#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "weights/weight_file.h"

namespace {

using namespace blindspot;

void read_all(std::span<const std::byte> bytes) {
  const auto file = weights::WeightFile::from_memory("input.safetensors", bytes);
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    file.read(i, false);
    file.read_raw(i);
    if (!file.tensors()[i].shape.empty() && file.tensors()[i].shape[0] > 0) file.read_rows(i, 0, 1);
    if (file.find(file.tensors()[i].name) < 0) std::abort();
  }
}

/// The length up to the last brace: more data than a header may hold behind it are rare.
std::vector<std::uint8_t> with_right_length(fuzz::Bytes data) {
  std::vector<std::uint8_t> repaired(data.begin(), data.end());
  const auto last = std::find(repaired.rbegin(), repaired.rend(), std::uint8_t{'}'});
  const auto end = static_cast<std::uint64_t>(repaired.rend() - last);
  if (end > 8) {
    const std::uint64_t length = end - 8;
    std::memcpy(repaired.data(), &length, sizeof(length));
  }
  return repaired;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  fuzz::run_bounded(size, [&] { read_all(fuzz::as_bytes(bytes)); });
  if (size > 8) {
    const std::vector<std::uint8_t> repaired = with_right_length(bytes);
    fuzz::run_bounded(size, [&] { read_all(fuzz::as_bytes(repaired)); });
  }
  return 0;
}
