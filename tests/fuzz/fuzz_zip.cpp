// Fuzzes the zip reader and what PyTorch puts into a zip: the bytes as they are, and once more with the two sizes of
// stored members made one and every member's checksum put right, so that changed members are read on. Uses weights/ and
// zlib.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "weights/weight_file.h"
#include "weights/zip_archive.h"

namespace {

using namespace blindspot;

constexpr std::size_t largest_member = std::size_t{1} << 20;

std::optional<std::uint32_t> checksum_of(const weights::ZipMember& member) {
  const auto* const packed = reinterpret_cast<const Bytef*>(member.packed.data());
  if (member.is_stored()) return static_cast<std::uint32_t>(::crc32_z(0, packed, member.packed.size()));
  if (member.size > largest_member) return std::nullopt;
  std::vector<Bytef> inflated(static_cast<std::size_t>(member.size) + 1);
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return std::nullopt;
  stream.next_in = const_cast<Bytef*>(packed);
  stream.avail_in = static_cast<uInt>(member.packed.size());
  stream.next_out = inflated.data();
  stream.avail_out = static_cast<uInt>(inflated.size());
  const int status = ::inflate(&stream, Z_FINISH);
  const std::size_t made = inflated.size() - stream.avail_out;
  ::inflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return static_cast<std::uint32_t>(::crc32_z(0, inflated.data(), made));
}

/// In the directory's headers, wherever one seems to stand: a member that is not compressed gets the size that it has
/// packed.
std::vector<std::uint8_t> with_one_size(fuzz::Bytes data) {
  constexpr std::size_t method = 10, packed_size = 20, size = 24, header = 46;
  constexpr std::array<std::uint8_t, 4> signature{'P', 'K', 1, 2};
  std::vector<std::uint8_t> repaired(data.begin(), data.end());
  for (auto at = repaired.begin();; at += 4) {
    at = std::search(at, repaired.end(), signature.begin(), signature.end());
    if (static_cast<std::size_t>(repaired.end() - at) < header) return repaired;
    if (at[method] == 0 && at[method + 1] == 0) std::copy_n(at + packed_size, 4, at + size);
  }
}

/// The checksum stands 30 bytes before the member's name in the directory, which the name points into.
std::vector<std::uint8_t> with_right_checksums(fuzz::Bytes data) {
  std::vector<std::uint8_t> repaired(data.begin(), data.end());
  fuzz::run_bounded(data.size() + largest_member, [&] {
    const weights::ZipArchive archive("input.pth", fuzz::as_bytes(data));
    for (const weights::ZipMember& member : archive.members()) {
      const auto checksum = checksum_of(member);
      const auto place = reinterpret_cast<const std::uint8_t*>(member.name.data()) - data.data() - 30;
      if (checksum) std::memcpy(repaired.data() + place, &*checksum, sizeof(*checksum));
    }
  });
  return repaired;
}

void read_all(std::span<const std::byte> bytes) {
  fuzz::run_bounded(bytes.size(), [&] {
    const weights::ZipArchive archive("input.pth", bytes);
    for (const weights::ZipMember& member : archive.members()) {
      archive.check(member);
      if (archive.find(member.name) != &member) std::abort();
      if (!member.is_stored() && member.size < largest_member) archive.inflated_bytes(member);
    }
  });
  fuzz::run_bounded(bytes.size(), [&] {
    const auto file = weights::WeightFile::from_memory("input.pth", bytes);
    for (std::size_t i = 0; i < file.tensors().size(); ++i) file.read(i, false);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Bytes bytes(data, size);
  read_all(fuzz::as_bytes(bytes));
  const std::vector<std::uint8_t> repaired = with_right_checksums(with_one_size(bytes));
  if (!std::equal(repaired.begin(), repaired.end(), bytes.begin())) read_all(fuzz::as_bytes(repaired));
  return 0;
}
