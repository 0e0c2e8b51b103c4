// What cuBLASLt is asked to compute, as plain values: one matrix product with its layouts, types and epilogue. Written
// by linear.cpp; read by the translation to cuBLASLt and by the reference interpreter of the tests. May use device.h
// and graph_description.h only.
#pragma once

#include <cstdint>
#include <string>

#include "engine/cuda/graph_description.h"
#include "engine/device.h"

namespace blindspot::cuda {

/// A matrix in column-major order, as cuBLASLt takes it: element (row, column) lies at row + column·leading_dimension.
struct MatrixDescription {
  Type type = Type::float32;
  std::int64_t rows = 0, columns = 0, leading_dimension = 0;
};

/// D = op(A)·op(B) + beta·C (+ bias), C and D the same memory and layout. The bias has one value for each row of D, in
/// the type `bias_type`, added to every column.
struct ProductDescription {
  std::string name;  ///< names operation and shape in messages, plan identities and the plan cache
  MatrixDescription a, b, d;
  bool transpose_a = false, transpose_b = false;
  float beta = 0;  ///< 0 or 1
  bool bias = false;
  Type bias_type = Type::float32;
  ProductPrecision products = ProductPrecision::exact;  ///< for float32 factors; accumulation is float32 always
};

/// Unambiguous text of everything above: the key under which a chosen plan is kept on disk.
std::string text_of(const ProductDescription& product);

}  // namespace blindspot::cuda
