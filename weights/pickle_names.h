// The names that a pickle in a weight file may mention, compared whole and exactly. None of them is ever called: each
// only says which plain value stands in its place. Uses weight_file.h.
#pragma once

#include <optional>
#include <string_view>

#include "weights/weight_file.h"

namespace blindspot::weights {

/// What an allowed name stands for.
enum class PickleName : std::uint8_t {
  rebuild_tensor,
  rebuild_tensor_v2,
  rebuild_parameter,
  storage_type,  ///< torch.FloatStorage …, with its ElementType
  ordered_dict,  ///< a dict; arguments: nothing, or a list of pairs
  default_dict,  ///< a dict; arguments: the factory
  plain_dict,    ///< a dict; arguments: nothing, a dict, or a list of pairs
  inert,         ///< anything whose value does not matter
  inert_value,   ///< torch.float32 …: a value, which cannot be called
};

struct AllowedName {
  std::string_view module, name;
  PickleName meaning;
  ElementType type = ElementType::f32;
};

/// The entry of the list, or null.
const AllowedName* find_allowed_name(std::string_view module, std::string_view name);

}  // namespace blindspot::weights
