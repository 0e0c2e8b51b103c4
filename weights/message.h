// How this folder refuses a file: one line, the file's name first, nothing in it that a terminal would obey. Uses
// error.h only.
#pragma once

#include <string>
#include <string_view>

#include "blindspot/error.h"

namespace blindspot::weights {

/// `text` from a file as it may stand in a message: control characters and bytes that are not UTF-8 escaped, long text
/// cut.
std::string printable(std::string_view text);

/// Throws Error(input) with "<file>: <what>".
[[noreturn]] void refuse(std::string_view file, std::string_view what);

/// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace blindspot::weights
