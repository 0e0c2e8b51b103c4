// Writes a file whole or not at all. Uses error.h and POSIX files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace blindspot::images {

/// Writes to a temporary name beside `path`, then renames over it, so that a killed run leaves no half file under the
/// final name. Throws Error(input) naming `path` if it cannot be written; the temporary file is removed then.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace blindspot::images
