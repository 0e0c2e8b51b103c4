// Reads the safetensors format and believes nothing: every name, number and offset of the header is checked. Uses
// tensor_view.h and nlohmann-json's event parser.
#pragma once

#include "weights/tensor_view.h"

namespace blindspot::weights {

/// Throws Error(input), `file` first in the message, for anything but a well-formed file.
ParsedFile read_safetensors(std::string_view file, std::span<const std::byte> bytes);

}  // namespace blindspot::weights
