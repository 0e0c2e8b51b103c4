// Reads PyTorch's two formats, the zip of torch.save since 1.6 and the legacy stream of pickles, without ever calling
// what a file names. Uses zip_archive.h, unpickler.h, tensor_view.h.
#pragma once

#include "weights/tensor_view.h"

namespace blindspot::weights {

/// True if a file may begin a pickle, by its first bytes.
bool looks_like_pickle(std::span<const std::byte> bytes);

/// Tensors of the state dict. Throw Error(input), `file` first in the message, for anything else. A zip's checksums
/// take time; Stopped is thrown between two of them if `cancelled` says so.
ParsedFile read_pytorch_zip(std::string_view file, std::span<const std::byte> bytes, const Cancelled& cancelled = {});
ParsedFile read_pytorch_legacy(std::string_view file, std::span<const std::byte> bytes);

}  // namespace blindspot::weights
