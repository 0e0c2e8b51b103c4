// See reference_tile.h. Compiled with -march=x86-64-v2, -v3 and -v4 and BLINDSPOT_VECTOR_LEVEL set to 2, 3 and 4; uses
// nothing but the language, since an inline function of a library would be emitted with wide instructions under a name
// that the whole program shares.
#include "reference_tile.h"

namespace blindspot::tests {
namespace {

// As many rows as the level has registers for.
#if BLINDSPOT_VECTOR_LEVEL == 2
constexpr int rows = 2;
#elif BLINDSPOT_VECTOR_LEVEL == 3
constexpr int rows = 4;
#else
constexpr int rows = most_tile_rows;
#endif

using Vector = double __attribute__((vector_size(tile_columns * sizeof(double)), aligned(sizeof(double)), may_alias));

void multiply(std::int64_t count, const double* a, const double* b, double* sums, std::int64_t sums_stride) {
  Vector tile[rows];
  for (int row = 0; row < rows; ++row) tile[row] = *reinterpret_cast<const Vector*>(sums + row * sums_stride);
  for (std::int64_t k = 0; k < count; ++k) {
    const Vector right = *reinterpret_cast<const Vector*>(b + k * tile_columns);
    for (int row = 0; row < rows; ++row) tile[row] += a[k * rows + row] * right;
  }
  for (int row = 0; row < rows; ++row) *reinterpret_cast<Vector*>(sums + row * sums_stride) = tile[row];
}

}  // namespace

#if BLINDSPOT_VECTOR_LEVEL == 2
TileProduct tile_product_v2() {
#elif BLINDSPOT_VECTOR_LEVEL == 3
TileProduct tile_product_v3() {
#else
TileProduct tile_product_v4() {
#endif
  return {rows, multiply};
}

}  // namespace blindspot::tests
