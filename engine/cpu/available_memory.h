// How much memory this process may still take. Uses the standard library only.
#pragma once

#include <cstdint>
#include <filesystem>

namespace blindspot::cpu {

/// Bytes: what the system has available (/proc/meminfo), or less where a control group of this process, version 2 or 1,
/// or one above it has a limit. Where nothing tells, nothing is held back. `root` stands for / in tests.
std::uint64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace blindspot::cpu
