// What every fuzz target has in common: a reader is given the bytes, may refuse them by Error(input), and may do
// nothing else; what it holds in memory stays within the input's size plus 64 MiB. Uses error.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "blindspot/error.h"

namespace blindspot::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// Runs `read`. Ends the process with a message if it throws anything but Error of `kind`, if the refusal is more than
/// one line, if more than `size` bytes and 64 MiB were allocated at once, or if it took more than 5 seconds of the
/// processor. True: it was not refused.
bool run_bounded(std::size_t size, const std::function<void()>& read, ErrorKind kind = ErrorKind::input);

inline std::span<const std::byte> as_bytes(Bytes data) {
  return std::as_bytes(data);
}

inline std::string as_text(Bytes data) {
  return {data.begin(), data.end()};
}

}  // namespace blindspot::fuzz
