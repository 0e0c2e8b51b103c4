// A tensor as it lies in a file: a storage, an offset, strides. Gathers it into row-major order. Uses element_type.h.
#pragma once

#include "weights/element_type.h"

namespace blindspot::weights {

struct TensorView {
  std::span<const std::byte> storage;
  std::int64_t offset = 0;            ///< of the first element, in elements
  std::vector<std::int64_t> strides;  ///< in elements, one a dimension; empty: row-major without gaps
  bool big_endian = false;
};

struct NamedTensor {
  TensorInformation information;
  TensorView view;
};

/// What a reader of one format finds in a file. Views point into the file's bytes or into `inflated`.
struct ParsedFile {
  std::string_view format;
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> metadata;
  std::vector<std::vector<std::byte>> inflated;
};

/// Little-endian elements in row-major order. The view must have been checked to lie within its storage.
std::vector<std::byte> gather(const TensorInformation& tensor, const TensorView& view);

/// The same as float32.
std::vector<float> gather_float32(const TensorInformation& tensor, const TensorView& view);

/// True if these strides say no more than row-major order does; dimensions of size 1 may have any stride.
bool is_row_major(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides);

}  // namespace blindspot::weights
