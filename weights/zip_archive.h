// A zip archive by its central directory: stored and deflated members, zip64. Checks names, places, sizes and CRCs
// before anyone sees a byte. Uses zlib.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/stopping.h"

namespace blindspot::weights {

struct ZipMember {
  std::string_view name;  ///< points into the archive
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed_size = 0, size = 0;
  std::span<const std::byte> packed;

  bool is_stored() const { return method == 0; }
};

class ZipArchive {
 public:
  /// Throws Error(input), `file` first in the message, for a damaged, encrypted or self-contradicting archive. `bytes`
  /// must outlive the archive. `cancelled` is asked while members are read, which then throws Stopped.
  ZipArchive(std::string_view file, std::span<const std::byte> bytes, Cancelled cancelled = {});

  const std::vector<ZipMember>& members() const { return members_; }  ///< sorted by name
  /// The member called `name`, or null.
  const ZipMember* find(std::string_view name) const;

  /// Bytes of a stored member, its CRC checked.
  std::span<const std::byte> stored_bytes(const ZipMember& member) const;
  /// Bytes of a deflated member, size and CRC checked. Allocates `member.size` bytes: the caller bounds it first.
  std::vector<std::byte> inflated_bytes(const ZipMember& member) const;
  /// Checks size and CRC without keeping the bytes; inflates `member.size` bytes, which the caller bounds, too.
  void check(const ZipMember& member) const;

 private:
  std::string file_;
  std::span<const std::byte> bytes_;
  Cancelled cancelled_;
  std::vector<ZipMember> members_;
};

}  // namespace blindspot::weights
