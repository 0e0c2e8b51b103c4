// The inner loop of the reference's matrix product, compiled for three levels of x86-64 (reference_tile.cpp). Plain
// types only.
#pragma once

#include <cstdint>

namespace blindspot::tests {

constexpr int tile_columns = 8;
constexpr int most_tile_rows = 8;

/// sums[r·sums_stride + c] += Σ over k of a[k·rows + r]·b[k·tile_columns + c], every sum in the order of k, each
/// product and sum rounded to double: the same bits at every level.
struct TileProduct {
  int rows;
  void (*multiply)(std::int64_t count, const double* a, const double* b, double* sums, std::int64_t sums_stride);
};

TileProduct tile_product_v2();
TileProduct tile_product_v3();
TileProduct tile_product_v4();

}  // namespace blindspot::tests
