// The precisions that a network can run in. Uses the standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// fp32: float32 throughout. tf32: float32 storage, tensor-core products (CUDA only). bf16, fp16: 16-bit activations
/// and weights, products accumulated in float32.
enum class Precision : std::uint8_t { fp32, tf32, bf16, fp16 };

std::string to_string(Precision precision);
/// Throws Error(usage), naming `text` and the four choices.
Precision precision_from(std::string_view text);

}  // namespace blindspot
