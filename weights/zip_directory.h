// The records of a zip archive (APPNOTE 6.3.10): end of central directory, its zip64 form, central and local headers.
// Uses zip_archive.h.
#pragma once

#include "weights/zip_archive.h"

namespace blindspot::weights {

/// The members of the archive in the order of its directory, every record checked. Folders are members too.
std::vector<ZipMember> read_zip_directory(std::string_view file, std::span<const std::byte> bytes);

}  // namespace blindspot::weights
