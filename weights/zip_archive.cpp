// Members of a zip archive: lookup, CRC, bounded inflating. Uses zlib.
#include "weights/zip_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

#include "weights/message.h"
#include "weights/zip_directory.h"

namespace blindspot::weights {
namespace {

// Small, so that a request to stop is soon heard.
constexpr std::size_t largest_piece = std::size_t{1} << 20;

std::uint32_t crc_of(std::span<const std::byte> bytes, const Cancelled& cancelled, std::uint32_t crc = 0) {
  for (std::size_t at = 0; at < bytes.size(); at += largest_piece) {
    stop_if(cancelled);
    const auto piece = bytes.subspan(at, std::min(largest_piece, bytes.size() - at));
    crc = static_cast<std::uint32_t>(
        ::crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size())));
  }
  return crc;
}

/// Inflates a raw deflate stream piece by piece.
class Inflater {
 public:
  Inflater(std::span<const std::byte> packed, const Cancelled& cancelled) : packed_(packed), cancelled_(cancelled) {
    if (inflateInit2(&stream_, -15) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }

  /// Fills as much of `out` as the stream has; less only at its end. Nothing if the stream is damaged.
  std::optional<std::size_t> read(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !ended_) {
      stop_if(cancelled_);
      const std::size_t in = std::min(largest_piece, packed_.size()),
                        room = std::min(largest_piece, out.size() - filled);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed_.data()));
      stream_.avail_in = static_cast<uInt>(in);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      stream_.avail_out = static_cast<uInt>(room);
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      const std::size_t used = in - stream_.avail_in, made = room - stream_.avail_out;
      packed_ = packed_.subspan(used);
      filled += made;
      ended_ = status == Z_STREAM_END;
      if (!ended_ && (status != Z_OK || (used == 0 && made == 0))) return std::nullopt;
    }
    return filled;
  }

 private:
  std::span<const std::byte> packed_;
  const Cancelled& cancelled_;
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace

ZipArchive::ZipArchive(std::string_view file, std::span<const std::byte> bytes, Cancelled cancelled)
    : file_(file), bytes_(bytes), cancelled_(std::move(cancelled)), members_(read_zip_directory(file, bytes)) {
  std::sort(members_.begin(), members_.end(), [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(members_.begin(), members_.end(),
                                        [](const ZipMember& a, const ZipMember& b) { return a.name == b.name; });
  if (twice != members_.end()) refuse(file_, fmt::format("the zip archive holds {} twice", printable(twice->name)));
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto found = std::lower_bound(members_.begin(), members_.end(), name,
                                      [](const ZipMember& a, std::string_view b) { return a.name < b; });
  return found != members_.end() && found->name == name ? &*found : nullptr;
}

std::span<const std::byte> ZipArchive::stored_bytes(const ZipMember& member) const {
  if (crc_of(member.packed, cancelled_) != member.crc) {
    refuse(file_, fmt::format("the checksum of zip member {} is wrong; the file is damaged, fetch it again",
                              printable(member.name)));
  }
  return member.packed;
}

std::vector<std::byte> ZipArchive::inflated_bytes(const ZipMember& member) const {
  std::vector<std::byte> out(static_cast<std::size_t>(member.size));
  std::array<std::byte, 1> beyond{};
  Inflater inflater(member.packed, cancelled_);
  const auto made = inflater.read(out);
  // The stream must end exactly here, and say so.
  if (made != out.size() || inflater.read(beyond) != std::size_t{0} || crc_of(out, cancelled_) != member.crc) {
    refuse(file_,
           fmt::format("zip member {} does not inflate to what the directory says; the file is damaged, fetch it "
                       "again",
                       printable(member.name)));
  }
  return out;
}

void ZipArchive::check(const ZipMember& member) const {
  if (member.is_stored()) {
    stored_bytes(member);
    return;
  }
  std::vector<std::byte> piece(std::size_t{1} << 16);
  Inflater inflater(member.packed, cancelled_);
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  std::optional<std::size_t> made;
  do {
    made = inflater.read(piece);
    if (made) {
      size += *made;
      crc = crc_of(std::span(piece).first(*made), cancelled_, crc);
    }
  } while (made == piece.size() && size <= member.size);
  if (!made || size != member.size || crc != member.crc) {
    refuse(file_, fmt::format("zip member {} does not inflate to what the directory says", printable(member.name)));
  }
}

}  // namespace blindspot::weights
