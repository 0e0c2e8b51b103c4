// Sizes and names of element types, and their conversion to float32. Uses weight_file.h.
#pragma once

#include <optional>

#include "weights/weight_file.h"

namespace blindspot::weights {

/// Dimensions that a tensor may have, as in torch; bounds memory by what a file claims.
inline constexpr std::size_t highest_rank = 64;

std::int64_t size_of(ElementType type);  ///< bytes of one element

/// The type that safetensors calls `name`, or nothing.
std::optional<ElementType> element_type_named(std::string_view name);

/// Little-endian elements as float32: bf16, f16, f8 exactly, f64 and integers to the nearest.
std::vector<float> to_float32(ElementType type, std::span<const std::byte> elements);

/// Product of sizes, each ≥ 0, or nothing if a size is negative or the product leaves 63 bits.
std::optional<std::int64_t> checked_count(std::span<const std::int64_t> shape);

}  // namespace blindspot::weights
