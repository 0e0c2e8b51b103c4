// Writes safetensors files, whole or not at all: to a temporary name beside the destination, then renamed. Uses
// error.h.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "weights/weight_file.h"

namespace blindspot::weights {

/// Takes the next bytes of a tensor, row-major.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// A tensor to write. `produce` is called once, in the order given, and hands its bytes over in pieces of any size, so
/// that no more than a piece need be in memory at a time.
struct TensorToWrite {
  TensorInformation information;  ///< f32, u8 or i64
  std::function<void(const ByteSink&)> produce;
};

/// Throws Error(input) naming the path if it cannot be written; nothing is left behind then.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorToWrite>& tensors);

/// float32 values as a tensor to write; the span must live until write_safetensors returns.
TensorToWrite float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);

}  // namespace blindspot::weights
