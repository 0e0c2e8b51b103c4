// The allow-list. Nothing belongs here whose construction could do more than hold values.
#include "weights/pickle_names.h"

#include <algorithm>
#include <array>

namespace blindspot::weights {
namespace {

using enum PickleName;

constexpr std::array allowed_names = {
    AllowedName{"torch._utils", "_rebuild_tensor", rebuild_tensor},
    AllowedName{"torch._utils", "_rebuild_tensor_v2", rebuild_tensor_v2},
    AllowedName{"torch._utils", "_rebuild_parameter", rebuild_parameter},
    AllowedName{"torch", "DoubleStorage", storage_type, ElementType::f64},
    AllowedName{"torch", "FloatStorage", storage_type, ElementType::f32},
    AllowedName{"torch", "HalfStorage", storage_type, ElementType::f16},
    AllowedName{"torch", "BFloat16Storage", storage_type, ElementType::bf16},
    AllowedName{"torch", "LongStorage", storage_type, ElementType::i64},
    AllowedName{"torch", "IntStorage", storage_type, ElementType::i32},
    AllowedName{"torch", "ShortStorage", storage_type, ElementType::i16},
    AllowedName{"torch", "CharStorage", storage_type, ElementType::i8},
    AllowedName{"torch", "ByteStorage", storage_type, ElementType::u8},
    AllowedName{"torch", "BoolStorage", storage_type, ElementType::boolean},
    AllowedName{"collections", "OrderedDict", ordered_dict},
    AllowedName{"collections", "defaultdict", default_dict},
    AllowedName{"collections", "Counter", plain_dict},
    AllowedName{"builtins", "dict", plain_dict},
    AllowedName{"__builtin__", "dict", plain_dict},
    AllowedName{"builtins", "set", inert},
    AllowedName{"__builtin__", "set", inert},
    AllowedName{"argparse", "Namespace", inert},
    AllowedName{"torch", "Size", inert},
    AllowedName{"torch", "device", inert},
    AllowedName{"numpy.core.multiarray", "scalar", inert},
    AllowedName{"numpy.core.multiarray", "_reconstruct", inert},
    AllowedName{"numpy._core.multiarray", "scalar", inert},
    AllowedName{"numpy._core.multiarray", "_reconstruct", inert},
    AllowedName{"numpy", "dtype", inert},
    AllowedName{"numpy", "ndarray", inert},
    AllowedName{"_codecs", "encode", inert},
};

constexpr std::array<std::string_view, 21> torch_types = {
    "float16", "bfloat16", "float32", "float64", "half",  "float",     "double",
    "int8",    "int16",    "int32",   "int64",   "short", "int",       "long",
    "uint8",   "uint16",   "uint32",  "uint64",  "bool",  "complex64", "complex128"};

constexpr AllowedName torch_type = {"torch", "dtype", inert_value};

}  // namespace

const AllowedName* find_allowed_name(std::string_view module, std::string_view name) {
  const auto* const found = std::find_if(allowed_names.begin(), allowed_names.end(), [&](const AllowedName& allowed) {
    return allowed.module == module && allowed.name == name;
  });
  if (found != allowed_names.end()) return found;
  const bool is_type =
      module == "torch" && std::find(torch_types.begin(), torch_types.end(), name) != torch_types.end();
  return is_type ? &torch_type : nullptr;
}

}  // namespace blindspot::weights
