// Reads a picture file: told by content, checked, reduced to what was checked, decoded. Uses stb_image through
// stb_decoder.h.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <system_error>

#include "blindspot/image.h"
#include "engine/images/jpeg_entropy.h"
#include "engine/images/jpeg_structure.h"
#include "engine/images/png_structure.h"
#include "engine/images/refuse.h"
#include "engine/images/stb_decoder.h"

namespace blindspot {
namespace {

/// What an unreadable file seems to be, for its message; empty if unknown.
std::string_view kind_of(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
  const std::string_view fifth = text.substr(std::min<std::size_t>(text.size(), 4));
  if (text.starts_with("GIF8")) return "a GIF file";
  if (text.starts_with("BM")) return "a BMP file";
  if (text.starts_with("RIFF") && text.substr(std::min<std::size_t>(text.size(), 8)).starts_with("WEBP")) {
    return "a WebP file";
  }
  if (text.starts_with(std::string_view("II*\0", 4)) || text.starts_with(std::string_view("MM\0*", 4))) {
    return "a TIFF file";
  }
  if (text.starts_with("8BPS")) return "a Photoshop file";
  if (text.starts_with("#?RADIANCE") || text.starts_with("#?RGBE")) return "a Radiance HDR file";
  if (fifth.starts_with("ftypavi")) return "an AVIF file";
  if (fifth.starts_with("ftyphei") || fifth.starts_with("ftypmif")) return "a HEIF file";
  if (text.size() > 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' && (text[2] == '\n' || text[2] == ' ')) {
    return "a PNM file";
  }
  if (text.starts_with("<svg") || (text.starts_with("<?xml") && text.find("svg") != text.npos)) return "an SVG file";
  if (text.starts_with("<")) return "a text of markup such as HTML";
  return {};
}

[[noreturn]] void refuse_unknown(std::span<const std::uint8_t> bytes, const std::string& name) {
  if (bytes.empty()) images::refuse(name, "the file is empty");
  const std::string_view kind = kind_of(bytes);
  images::refuse(name, fmt::format("{}; only JPEG and PNG pictures are read",
                                   kind.empty() ? "neither a JPEG nor a PNG file" : fmt::format("this is {}", kind)));
}

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) images::refuse(path.string(), "no such file");
  if (std::filesystem::is_directory(status)) images::refuse(path.string(), "is a folder, not a picture");
  if (!std::filesystem::is_regular_file(status)) images::refuse(path.string(), "is not a regular file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse_short_memory({errno, std::generic_category()});
  if (error || !file) images::refuse(path.string(), "cannot be opened for reading");
  std::vector<std::uint8_t> bytes(size);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(file.gcount()) != size) images::refuse(path.string(), "cannot be read to its end");
  return bytes;
}

}  // namespace

Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& name) {
  if (images::has_png_signature(bytes)) return images::decode_checked(images::checked_png(bytes, name), name);
  if (!images::has_jpeg_signature(bytes)) refuse_unknown(bytes, name);
  images::JpegStructure structure = images::parse_jpeg(bytes, name);
  images::check_entropy_coded_data(structure, bytes, name);
  return images::decode_checked(images::canonical_jpeg(structure, bytes), name);
}

Picture read_picture(const std::filesystem::path& path) {
  return decode_picture(read_bytes(path), path.string());
}

}  // namespace blindspot
