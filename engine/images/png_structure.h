// Checks a PNG file whole before a decoder sees it: chunks, checksums, the compressed stream to its last byte, filter
// types and palette indices. Uses zlib and error.h; decodes no pixels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace blindspot::images {

bool has_png_signature(std::span<const std::uint8_t> bytes);

/// The file reduced to what makes its pixels: IHDR, PLTE where indices need it, IDAT, IEND. Transparency, gamma,
/// profiles and text are left out. Throws Error(input) naming `name` and the first fault. Until the file is known to be
/// good, at most two rows of a palette picture and a few tens of kilobytes are allocated.
std::vector<std::uint8_t> checked_png(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace blindspot::images
