// The product behind the host's mma (kernels/instructions.cuh), compiled apart and for the widest vectors there are,
// since most of the time of tests goes here. Each sum is added up in one order, whatever the width. Uses nothing.
#include <cstddef>
#include <cstring>

#include "cuda_on_host/device_functions.h"

namespace cuda_on_host {

namespace {

constexpr std::ptrdiff_t rows = 16;
constexpr std::ptrdiff_t columns = 8;
constexpr std::ptrdiff_t rows_together = 4;

using Row = double __attribute__((vector_size(columns * sizeof(double))));

}  // namespace

__attribute__((target_clones("avx512f", "avx2", "default"))) void multiply_tile(const double* a, const double* b,
                                                                                int depth, double* sums) {
  for (std::ptrdiff_t first = 0; first < rows; first += rows_together) {
    Row exact[rows_together] = {};
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
      Row right;
      std::memcpy(&right, b + k * columns, sizeof right);
      for (std::ptrdiff_t row = 0; row < rows_together; ++row) exact[row] += a[(first + row) * depth + k] * right;
    }
    std::memcpy(sums + first * columns, exact, sizeof exact);
  }
}

}  // namespace cuda_on_host
