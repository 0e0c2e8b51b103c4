// The one way in which this room refuses a file, and the limit of pixels that all of it keeps. Uses error.h.
#pragma once

#include <cstdint>
#include <string>

#include "blindspot/error.h"

namespace blindspot::images {

/// PIL's own limit; refused from the header, before anything of that size is allocated.
inline constexpr std::int64_t most_pixels = 178956970;

/// Throws Error(input): "NAME: CAUSE".
[[noreturn]] inline void refuse(const std::string& name, const std::string& cause) {
  throw Error(ErrorKind::input, name + ": " + cause);
}

}  // namespace blindspot::images
