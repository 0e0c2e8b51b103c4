// The decoder behind the checks: stb_image for files that jpeg_structure.h and png_structure.h have passed.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "blindspot/image.h"

namespace blindspot::images {

/// Throws Error(input) naming `name` if the decoder refuses the file all the same.
Picture decode_checked(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace blindspot::images
