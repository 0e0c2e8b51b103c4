// Follows the entropy-coded data of every scan of a JPEG file, code by code, to see that all blocks are there. Nothing
// is reconstructed. Uses error.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/images/jpeg_structure.h"

namespace blindspot::images {

/// Throws Error(input) naming `name` if a scan's data end early, hold an impossible code or lack a restart marker, or
/// if there are too many scans for its size. Sets each scan's `data_end` behind the last byte that was needed.
/// Allocates at most 8 bytes for each block of one component.
void check_entropy_coded_data(JpegStructure& structure, std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace blindspot::images
