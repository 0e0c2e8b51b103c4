// The pieces that PNG and animated PNG files have in common. Uses image.h.
#pragma once

#include <string_view>

#include "blindspot/image.h"

namespace blindspot::images {

void append_big_endian(std::vector<std::uint8_t>& out, std::size_t value);
void append_chunk(std::vector<std::uint8_t>& out, std::string_view type, std::span<const std::uint8_t> data);
/// Signature and IHDR of an 8-bit RGB picture of this size.
std::vector<std::uint8_t> png_beginning(const Picture& picture);
/// Filtered and deflated rows: what IDAT holds. Throws Error(fault) for a picture whose values do not fit its size.
std::vector<std::uint8_t> png_image_data(const Picture& picture);

}  // namespace blindspot::images
