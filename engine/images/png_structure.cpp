// The checks of a PNG file, after the PNG specification (W3C, second edition), sections 5 to 11: chunk layout and
// CRC-32, the header's allowed combinations, and the zlib stream inflated through a small window with every byte
// counted. Uses zlib.
#include "engine/images/png_structure.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/images/png_filter.h"
#include "engine/images/refuse.h"

namespace blindspot::images {
namespace {

constexpr std::array<std::uint8_t, 8> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::uint32_t longest_chunk = 0x7FFFFFFF;
// The decoder's own limit for one side.
constexpr std::uint32_t longest_side = 1U << 24;

enum ColourType : std::uint8_t { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

struct Header {
  std::uint32_t width = 0, height = 0;
  std::uint8_t depth = 0, colour = 0;
  bool interlaced = false;

  unsigned bits_per_pixel() const {
    const unsigned channels = colour == rgb ? 3 : colour == grey_alpha ? 2 : colour == rgb_alpha ? 4 : 1;
    return channels * depth;
  }
};

struct Chunk {
  std::string_view type;
  std::span<const std::uint8_t> data;
  std::span<const std::uint8_t> whole;  // length, type, data, CRC
};

std::uint32_t big_endian(std::span<const std::uint8_t> bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

/// The chunks of a file in turn, each with its checksum verified.
class ChunkReader {
 public:
  ChunkReader(std::span<const std::uint8_t> bytes, const std::string& name)
      : rest_(bytes.subspan(signature.size())), name_(name) {}

  Chunk next() {
    if (rest_.size() < 12) refuse(name_, "PNG file is cut off: it ends before its IEND chunk");
    const std::uint32_t length = big_endian(rest_);
    const std::string_view type(reinterpret_cast<const char*>(rest_.data()) + 4, 4);
    const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    if (!std::all_of(type.begin(), type.end(), is_letter)) refuse(name_, "damaged PNG: a chunk type that is no name");
    if (length > longest_chunk || length > rest_.size() - 12) {
      refuse(name_, fmt::format("PNG file is cut off: chunk {} claims {} bytes, {} are left", type, length,
                                rest_.size() - 12));
    }
    const Chunk chunk{type, rest_.subspan(8, length), rest_.first(std::size_t{length} + 12)};
    const auto checksum = crc32_z(0, chunk.whole.data() + 4, std::size_t{length} + 4);
    if (checksum != big_endian(rest_.subspan(std::size_t{length} + 8))) {
      refuse(name_, fmt::format("damaged PNG: checksum (CRC) of chunk {} is wrong", type));
    }
    rest_ = rest_.subspan(chunk.whole.size());
    return chunk;
  }

 private:
  std::span<const std::uint8_t> rest_;
  const std::string& name_;
};

Header read_header(const Chunk& chunk, const std::string& name) {
  if (chunk.type != "IHDR") refuse(name, fmt::format("damaged PNG: begins with chunk {} instead of IHDR", chunk.type));
  if (chunk.data.size() != 13) refuse(name, "damaged PNG: IHDR is not 13 bytes long");
  Header header;
  header.width = big_endian(chunk.data);
  header.height = big_endian(chunk.data.subspan(4));
  header.depth = chunk.data[8];
  header.colour = chunk.data[9];
  if (header.width == 0 || header.height == 0) refuse(name, "damaged PNG: width or height is 0");
  if (header.width > longest_side || header.height > longest_side ||
      std::uint64_t{header.width} * header.height > static_cast<std::uint64_t>(most_pixels)) {
    refuse(name, fmt::format("picture of {}x{} pixels is too large: at most {} pixels and {} a side are read",
                             header.width, header.height, most_pixels, longest_side));
  }
  const bool small_depth = header.depth == 1 || header.depth == 2 || header.depth == 4;
  const bool whole_depth = header.depth == 8 || header.depth == 16;
  const bool fits = header.colour == grey      ? small_depth || whole_depth
                    : header.colour == palette ? small_depth || header.depth == 8
                    : header.colour == rgb || header.colour == grey_alpha || header.colour == rgb_alpha ? whole_depth
                                                                                                        : false;
  if (!fits) refuse(name, fmt::format("damaged PNG: colour type {} with bit depth {}", header.colour, header.depth));
  if (chunk.data[10] != 0) refuse(name, fmt::format("damaged PNG: compression method {}", chunk.data[10]));
  if (chunk.data[11] != 0) refuse(name, fmt::format("damaged PNG: filter method {}", chunk.data[11]));
  if (chunk.data[12] > 1) refuse(name, fmt::format("damaged PNG: interlace method {}", chunk.data[12]));
  header.interlaced = chunk.data[12] == 1;
  return header;
}

/// Reconstructs the rows of a palette picture (one byte a filter unit), two in memory, and checks the indices.
class PaletteIndices {
 public:
  PaletteIndices(unsigned depth, std::size_t colours, const std::string& name)
      : depth_(depth), colours_(colours), name_(name) {}

  void begin_pass() { row_.clear(); }

  void begin_row(std::size_t bytes, std::uint8_t filter) {
    above_.swap(row_);
    above_.resize(bytes, 0);
    row_.clear();
    row_.reserve(bytes);
    filter_ = filter;
  }

  void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) {
      const std::size_t x = row_.size();
      const int left = x > 0 ? row_[x - 1] : 0, above = above_[x], above_left = x > 0 ? above_[x - 1] : 0;
      const int predicted = predicted_by_filter(filter_, left, above, above_left);
      row_.push_back(static_cast<std::uint8_t>(byte + predicted));
    }
  }

  void end_row(std::uint32_t width) const {
    const unsigned mask = (1U << depth_) - 1;
    for (std::uint32_t x = 0; x < width; ++x) {
      const std::size_t bit = std::size_t{x} * depth_;
      const unsigned index = static_cast<unsigned>(row_[bit / 8]) >> (8 - depth_ - bit % 8) & mask;
      if (index >= colours_) {
        refuse(name_, fmt::format("damaged PNG: a pixel has colour {} of a palette of {}", index, colours_));
      }
    }
  }

 private:
  unsigned depth_;
  std::size_t colours_;
  const std::string& name_;
  std::vector<std::uint8_t> row_, above_;
  std::uint8_t filter_ = 0;
};

/// Counts the inflated bytes row by row against what the header promises.
class RowCounter {
 public:
  RowCounter(const Header& header, std::size_t colours, const std::string& name)
      : header_(header),
        check_indices_(header.colour == palette && colours < (std::size_t{1} << header.depth)),
        indices_(header.depth, colours, name),
        name_(name) {
    next_pass();
  }

  void add(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      if (complete()) refuse(name_, "damaged PNG: more pixel data than the picture has");
      if (left_in_row_ == 0) {
        begin_row(bytes.front());
        bytes = bytes.subspan(1);
        continue;
      }
      const std::size_t taken = std::min(left_in_row_, bytes.size());
      if (check_indices_) indices_.add(bytes.first(taken));
      bytes = bytes.subspan(taken);
      left_in_row_ -= taken;
      if (left_in_row_ == 0) end_row();
    }
  }

  bool complete() const { return rows_left_ == 0; }

 private:
  void begin_row(std::uint8_t filter) {
    if (filter > 4) refuse(name_, fmt::format("damaged PNG: filter type {} in a row", filter));
    left_in_row_ = row_bytes_;
    if (check_indices_) indices_.begin_row(row_bytes_, filter);
  }

  void end_row() {
    if (check_indices_) indices_.end_row(pass_width_);
    if (--rows_left_ == 0) next_pass();
  }

  /// The next pass that has pixels: the whole picture, or one of Adam7's seven (section 8.2).
  void next_pass() {
    constexpr std::array<std::uint32_t, 7> left{0, 4, 0, 2, 0, 1, 0}, top{0, 0, 4, 0, 2, 0, 1};
    constexpr std::array<std::uint32_t, 7> across{8, 8, 4, 4, 2, 2, 1}, down{8, 8, 8, 4, 4, 2, 2};
    const std::size_t passes = header_.interlaced ? 7 : 1;
    pass_width_ = 0;
    while (pass_ < passes && (pass_width_ == 0 || rows_left_ == 0)) {
      pass_width_ = header_.width;
      rows_left_ = header_.height;
      if (header_.interlaced) {
        pass_width_ = (header_.width + across[pass_] - 1 - left[pass_]) / across[pass_];
        rows_left_ = (header_.height + down[pass_] - 1 - top[pass_]) / down[pass_];
      }
      ++pass_;
    }
    if (pass_width_ == 0) rows_left_ = 0;
    row_bytes_ = (std::size_t{pass_width_} * header_.bits_per_pixel() + 7) / 8;
    indices_.begin_pass();
  }

  const Header& header_;
  bool check_indices_;
  PaletteIndices indices_;
  const std::string& name_;
  std::size_t pass_ = 0, row_bytes_ = 0, left_in_row_ = 0;
  std::uint32_t pass_width_ = 0, rows_left_ = 0;
};

/// zlib's inflate over the IDAT chunks, through a window of 64 KiB.
class PixelStream {
 public:
  explicit PixelStream(const std::string& name) : name_(name), window_(1U << 16) {
    if (inflateInit(&stream_) != Z_OK) refuse_for_memory();
  }
  PixelStream(const PixelStream&) = delete;
  PixelStream& operator=(const PixelStream&) = delete;
  ~PixelStream() { inflateEnd(&stream_); }

  /// Bytes behind the end of the zlib stream are ignored, as every decoder does.
  void add(std::span<const std::uint8_t> data, RowCounter& rows) {
    stream_.next_in = const_cast<Bytef*>(data.data());
    stream_.avail_in = static_cast<uInt>(data.size());
    bool window_filled = true;
    while (!ended_ && (stream_.avail_in > 0 || window_filled)) {
      stream_.next_out = window_.data();
      stream_.avail_out = static_cast<uInt>(window_.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_MEM_ERROR) refuse_for_memory();
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        refuse(name_, fmt::format("damaged PNG: its pixel data do not inflate ({})",
                                  stream_.msg != nullptr ? stream_.msg : "preset dictionary"));
      }
      window_filled = stream_.avail_out == 0;
      rows.add(std::span(window_).first(window_.size() - stream_.avail_out));
      ended_ = status == Z_STREAM_END;
      if (status == Z_BUF_ERROR) break;
    }
  }

  [[noreturn]] void refuse_for_memory() const { throw OutOfMemory("out of memory while reading " + name_); }
  bool ended() const { return ended_; }

 private:
  const std::string& name_;
  std::vector<std::uint8_t> window_;
  z_stream stream_{};
  bool ended_ = false;
};

bool is_critical(const Chunk& chunk) {
  return chunk.type[0] >= 'A' && chunk.type[0] <= 'Z';
}

/// Everything from IHDR to IEND; returns the header.
Header check_chunks(std::span<const std::uint8_t> bytes, const std::string& name) {
  ChunkReader chunks(bytes, name);
  const Header header = read_header(chunks.next(), name);
  std::size_t colours = 0;
  Chunk chunk = chunks.next();
  for (; chunk.type != "IDAT"; chunk = chunks.next()) {
    if (chunk.type == "IEND") refuse(name, "damaged PNG: no pixel data (IDAT)");
    if (chunk.type == "PLTE") {
      if (colours != 0) refuse(name, "damaged PNG: two palettes");
      if (chunk.data.empty() || chunk.data.size() % 3 != 0 || chunk.data.size() > 768) {
        refuse(name, fmt::format("damaged PNG: a palette (PLTE) of {} bytes", chunk.data.size()));
      }
      colours = chunk.data.size() / 3;
    } else if (is_critical(chunk)) {
      refuse(name, fmt::format("damaged PNG: unexpected chunk {}", chunk.type));
    }
  }
  if (header.colour == palette && colours == 0) refuse(name, "damaged PNG: palette colours without a palette (PLTE)");

  RowCounter rows(header, colours, name);
  PixelStream pixels(name);
  for (; chunk.type == "IDAT"; chunk = chunks.next()) pixels.add(chunk.data, rows);
  if (!rows.complete()) refuse(name, "damaged PNG: its pixel data end before the last row");
  if (!pixels.ended()) refuse(name, "damaged PNG: its pixel data lack their end and checksum");
  for (; chunk.type != "IEND"; chunk = chunks.next()) {
    if (is_critical(chunk)) refuse(name, fmt::format("damaged PNG: chunk {} behind the pixel data", chunk.type));
  }
  if (!chunk.data.empty()) refuse(name, "damaged PNG: IEND is not empty");
  return header;
}

}  // namespace

bool has_png_signature(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= signature.size() && std::equal(signature.begin(), signature.end(), bytes.begin());
}

std::vector<std::uint8_t> checked_png(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Header header = check_chunks(bytes, name);
  std::vector<std::uint8_t> kept(signature.begin(), signature.end());
  ChunkReader chunks(bytes, name);
  for (std::string_view type; type != "IEND";) {
    const Chunk chunk = chunks.next();
    type = chunk.type;
    if (is_critical(chunk) && (type != "PLTE" || header.colour == palette)) {
      kept.insert(kept.end(), chunk.whole.begin(), chunk.whole.end());
    }
  }
  return kept;
}

}  // namespace blindspot::images
