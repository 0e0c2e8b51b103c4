// Tensors of graph descriptions as values in double precision, for the reference interpreter. May use the descriptions
// and the headers of the host execution.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cuda/graph_description.h"

namespace blindspot::tests {

/// Dense, row-major over `sizes`.
struct Values {
  std::vector<std::int64_t> sizes;
  std::vector<double> values;
};

/// A tensor's dimensions in the order in which Values has them: channels last ([N, H, W, C], [K, R, S, C]) for images
/// and filters, as they are for attention.
enum class Layout : std::uint8_t { channels_last, as_described };

/// Throws Error(fault) unless dimensions and strides describe a tensor whose elements do not overlap.
void check_tensor(const cuda::TensorDescription& tensor);
/// Bytes from the first to behind the last element.
std::size_t extent_bytes(const cuda::TensorDescription& tensor);
std::vector<std::int64_t> sizes_of(const cuda::TensorDescription& tensor, Layout layout);

Values load(const cuda::TensorDescription& tensor, const void* memory, Layout layout);
/// Rounds to the tensor's type, through float32.
void store(const Values& values, const cuda::TensorDescription& tensor, void* memory, Layout layout);

double element_at(Type type, const void* memory, std::int64_t element);
void set_element(Type type, void* memory, std::int64_t element, double value);
/// What a tensor core makes of float32 factors: the nearest number with 10 fraction bits, ties away from zero.
double rounded_to_tf32(double value);

}  // namespace blindspot::tests
