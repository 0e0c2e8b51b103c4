// The two built-in weight files as bytes of the program itself. Uses the standard library only; knows no file format.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace blindspot::weights {

/// The safetensors file `demo-resnet` or `demo-vit`, aligned to 64 bytes, valid as long as the program runs; empty for
/// any other name.
std::span<const std::byte> embedded_weights(std::string_view name);

}  // namespace blindspot::weights
