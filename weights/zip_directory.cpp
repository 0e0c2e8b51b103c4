// Reading the records at the end of a zip archive and the local headers that they point to. Sizes and places come from
// the central directory alone. Uses the standard library.
#include "weights/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "weights/message.h"

namespace blindspot::weights {
namespace {

constexpr std::size_t end_size = 22, locator_size = 20, end64_size = 56, central_size = 46, local_size = 30;
constexpr std::uint32_t end_signature = 0x06054B50, locator_signature = 0x07064B50, end64_signature = 0x06064B50;
constexpr std::uint32_t central_signature = 0x02014B50, local_signature = 0x04034B50;
constexpr std::uint16_t encryption_flags = 0x2041;  // encrypted, strongly, or a masked header

/// Little-endian numbers by position; every read is checked against the archive's end.
class Records {
 public:
  Records(std::string_view file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

  template <typename Number>
  Number at(std::uint64_t position) const {
    Number number;
    std::memcpy(&number, span(position, sizeof(Number)).data(), sizeof(Number));
    return number;
  }

  std::span<const std::byte> span(std::uint64_t position, std::uint64_t size) const {
    if (position > bytes_.size() || size > bytes_.size() - position) fail("a record lies beyond the end of the file");
    return bytes_.subspan(static_cast<std::size_t>(position), static_cast<std::size_t>(size));
  }

  std::string_view text(std::uint64_t position, std::uint64_t size) const {
    const auto bytes = span(position, size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::uint64_t size() const { return bytes_.size(); }
  [[noreturn]] void fail(std::string_view what) const {
    refuse(file_, fmt::format("the zip archive is damaged or cut off: {}", what));
  }
  [[noreturn]] void fail_member(std::string_view name, std::string_view what) const {
    refuse(file_, fmt::format("zip member {} {}", printable(name), what));
  }

 private:
  std::string_view file_;
  std::span<const std::byte> bytes_;
};

struct Directory {
  std::uint64_t offset = 0, size = 0, entries = 0;
};

std::uint64_t find_end(const Records& records) {
  if (records.size() < end_size) records.fail("no end record");
  const std::uint64_t last = records.size() - end_size;
  const std::uint64_t first = last > 0xFFFF ? last - 0xFFFF : 0;
  for (std::uint64_t position = last + 1; position-- > first;) {
    if (records.at<std::uint32_t>(position) == end_signature &&
        records.at<std::uint16_t>(position + 20) == last - position) {
      return position;
    }
  }
  records.fail("no end record");
}

Directory find_directory(const Records& records) {
  const std::uint64_t end = find_end(records);
  std::uint64_t behind_directory = end;
  Directory directory{records.at<std::uint32_t>(end + 16), records.at<std::uint32_t>(end + 12),
                      records.at<std::uint16_t>(end + 10)};
  if (end >= locator_size && records.at<std::uint32_t>(end - locator_size) == locator_signature) {
    const auto end64 = records.at<std::uint64_t>(end - locator_size + 8);
    if (end64 > end - locator_size || end - locator_size - end64 < end64_size ||
        records.at<std::uint32_t>(end64) != end64_signature) {
      records.fail("no zip64 end record where its locator points");
    }
    directory = {records.at<std::uint64_t>(end64 + 48), records.at<std::uint64_t>(end64 + 40),
                 records.at<std::uint64_t>(end64 + 32)};
    behind_directory = end64;
  }
  if (directory.offset > behind_directory || directory.size > behind_directory - directory.offset ||
      directory.entries > directory.size / central_size) {
    records.fail("the directory does not fit into the file");
  }
  return directory;
}

/// Fields of a central header that zip64 moves into an extra field when they are all ones.
struct Extent {
  std::uint64_t size, packed_size, local_offset;
};

void read_zip64_extra(const Records& records, std::string_view name, std::uint64_t position, std::uint64_t length,
                      Extent& extent) {
  const std::uint64_t end = position + length;
  while (end - position >= 4) {
    const auto tag = records.at<std::uint16_t>(position);
    const std::uint64_t size = records.at<std::uint16_t>(position + 2);
    position += 4;
    if (size > end - position) records.fail_member(name, "has a damaged extra field");
    if (tag == 1) {
      std::uint64_t at = position;
      for (std::uint64_t* const field : {&extent.size, &extent.packed_size, &extent.local_offset}) {
        if (*field != 0xFFFFFFFF) continue;
        if (position + size - at < 8) records.fail_member(name, "has a damaged zip64 field");
        *field = records.at<std::uint64_t>(at);
        at += 8;
      }
    }
    position += size;
  }
}

/// Where the member's data lie, by its local header, which must agree with the directory.
std::span<const std::byte> locate(const Records& records, const ZipMember& member, const Extent& extent,
                                  std::uint64_t directory_offset) {
  const std::uint64_t local = extent.local_offset;
  if (local > directory_offset || directory_offset - local < local_size ||
      records.at<std::uint32_t>(local) != local_signature) {
    records.fail_member(member.name, "does not start where the directory says");
  }
  const std::uint64_t name_length = records.at<std::uint16_t>(local + 26);
  const std::uint64_t header = local_size + name_length + records.at<std::uint16_t>(local + 28);
  if (header > directory_offset - local || extent.packed_size > directory_offset - local - header) {
    records.fail_member(member.name, "is longer than the file");
  }
  if (records.text(local + local_size, name_length) != member.name) {
    records.fail_member(member.name, "has another name in its own header");
  }
  if ((records.at<std::uint16_t>(local + 6) & encryption_flags) != 0 ||
      records.at<std::uint16_t>(local + 8) != member.method) {
    records.fail_member(member.name, "is packed otherwise than the directory says");
  }
  return records.span(local + header, extent.packed_size);
}

/// Reads the central header at `position`, which moves behind it.
ZipMember read_member(const Records& records, const Directory& directory, std::uint64_t& position) {
  const std::uint64_t end = directory.offset + directory.size;
  if (end - position < central_size || records.at<std::uint32_t>(position) != central_signature) {
    records.fail("a directory entry is malformed");
  }
  const std::uint64_t name_length = records.at<std::uint16_t>(position + 28);
  const std::uint64_t extra_length = records.at<std::uint16_t>(position + 30);
  const std::uint64_t comment_length = records.at<std::uint16_t>(position + 32);
  if (end - position - central_size < name_length + extra_length + comment_length) {
    records.fail("a directory entry is malformed");
  }
  ZipMember member;
  member.name = records.text(position + central_size, name_length);
  member.method = records.at<std::uint16_t>(position + 10);
  member.crc = records.at<std::uint32_t>(position + 16);
  if ((records.at<std::uint16_t>(position + 8) & encryption_flags) != 0) {
    records.fail_member(member.name, "is encrypted; save the weights without a password");
  }
  if (member.method != 0 && member.method != 8) {
    records.fail_member(member.name,
                        fmt::format("is compressed by method {}; stored and deflated ones are read", member.method));
  }
  Extent extent{records.at<std::uint32_t>(position + 24), records.at<std::uint32_t>(position + 20),
                records.at<std::uint32_t>(position + 42)};
  read_zip64_extra(records, member.name, position + central_size + name_length, extra_length, extent);
  member.size = extent.size;
  member.packed_size = extent.packed_size;
  member.packed = locate(records, member, extent, directory.offset);
  if (member.is_stored() && member.size != member.packed_size) {
    records.fail_member(member.name, "is stored and has two sizes");
  }
  position += central_size + name_length + extra_length + comment_length;
  return member;
}

void check_overlaps(const Records& records, std::vector<const ZipMember*> members) {
  std::sort(members.begin(), members.end(),
            [](const ZipMember* a, const ZipMember* b) { return a->packed.data() < b->packed.data(); });
  const ZipMember* previous = nullptr;
  for (const ZipMember* const member : members) {
    if (member->packed.empty()) continue;
    if (previous != nullptr && previous->packed.data() + previous->packed.size() > member->packed.data()) {
      records.fail_member(member->name, fmt::format("overlaps {}", printable(previous->name)));
    }
    previous = member;
  }
}

}  // namespace

std::vector<ZipMember> read_zip_directory(std::string_view file, std::span<const std::byte> bytes) {
  const Records records(file, bytes);
  const Directory directory = find_directory(records);
  std::vector<ZipMember> members;
  std::uint64_t position = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) members.push_back(read_member(records, directory, position));
  if (position != directory.offset + directory.size) records.fail("the directory is longer than its entries");
  std::vector<const ZipMember*> by_place;
  by_place.reserve(members.size());
  for (const ZipMember& member : members) by_place.push_back(&member);
  check_overlaps(records, std::move(by_place));
  return members;
}

}  // namespace blindspot::weights
