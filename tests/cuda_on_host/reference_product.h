// Matrix products in double precision for the reference interpreter, with the same bits on every
// processor.
#pragma once

#include <cstdint>
#include <vector>

namespace blindspot::tests {

/// A matrix in double precision that lies elsewhere; strides in elements.
struct MatrixView {
  const double* data = nullptr;
  std::int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;

  double at(std::int64_t row, std::int64_t column) const { return data[row * row_stride + column * column_stride]; }
  MatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

inline MatrixView row_major(const double* data, std::int64_t rows, std::int64_t columns) {
  return {data, rows, columns, columns, 1};
}

/// a·b, row-major; every sum in the order of a's columns.
std::vector<double> product(const MatrixView& a, const MatrixView& b);

}  // namespace blindspot::tests
