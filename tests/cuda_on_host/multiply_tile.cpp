// The product behind the host's mma (kernels/instructions.cuh), compiled apart, since most of the time of tests goes
// here. Uses nothing.
#include "cuda_on_host/device_functions.h"

namespace cuda_on_host {

void multiply_tile(const double* a, const double* b, int depth, double* sums) {
  constexpr int rows = 16;
  constexpr int columns = 8;
  for (int row = 0; row < rows; ++row) {
    double exact[columns] = {};
    for (int k = 0; k < depth; ++k) {
      for (int column = 0; column < columns; ++column) exact[column] += a[row * depth + k] * b[k * columns + column];
    }
    for (int column = 0; column < columns; ++column) sums[row * columns + column] = exact[column];
  }
}

}  // namespace cuda_on_host
