// Where the reference material lies ($BLINDSPOT_SHARED, else beside the sources of the build), and how a test says that
// it is absent. Uses the standard library and doctest.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace blindspot::tests {

/// Path below the shared folder, or nothing (with the line "skipped: no ../shared") where it is absent.
inline std::optional<std::filesystem::path> shared_material(const std::string& below) {
  const char* const chosen = std::getenv("BLINDSPOT_SHARED");
  const std::filesystem::path path = std::filesystem::path(chosen != nullptr ? chosen : BLINDSPOT_SHARED) / below;
  if (std::filesystem::exists(path)) return path;
  MESSAGE("skipped: no ../shared");
  return std::nullopt;
}

}  // namespace blindspot::tests
