// Implementation of reference_product.h: blocks of packed rows and columns around the loop of reference_tile.h.
#include "reference_product.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "reference_tile.h"

namespace blindspot::tests {
namespace {

constexpr std::int64_t depth = 256;  // of a block of summed-over places

bool has_level(int level) {
  const bool v3 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                  __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
  return level == 3 ? v3
                    : v3 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                          __builtin_cpu_supports("avx512vl") != 0;
}

TileProduct choose_tile_product() {
  if (has_level(4)) return tile_product_v4();
  return has_level(3) ? tile_product_v3() : tile_product_v2();
}

std::int64_t rounded_up(std::int64_t value, std::int64_t to) {
  return (value + to - 1) / to * to;
}

/// Rows first … first + depth of b in panels of tile_columns columns, zero beyond the last.
std::vector<double> packed_panels(const MatrixView& b, std::int64_t first, std::int64_t count) {
  const std::int64_t panels = rounded_up(b.columns, tile_columns) / tile_columns;
  std::vector<double> packed(static_cast<std::size_t>(panels * count * tile_columns), 0.0);
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    double* const to = packed.data() + panel * count * tile_columns;
    const std::int64_t columns = std::min<std::int64_t>(tile_columns, b.columns - panel * tile_columns);
    for (std::int64_t k = 0; k < count; ++k) {
      for (std::int64_t c = 0; c < columns; ++c) to[k * tile_columns + c] = b.at(first + k, panel * tile_columns + c);
    }
  }
  return packed;
}

}  // namespace

std::vector<double> product(const MatrixView& a, const MatrixView& b) {
  if (a.columns != b.rows) throw std::invalid_argument("a product of matrices that do not fit");
  const TileProduct tile = choose_tile_product();
  const std::int64_t rows = rounded_up(a.rows, tile.rows);
  const std::int64_t width = rounded_up(b.columns, tile_columns);
  std::vector<double> sums(static_cast<std::size_t>(rows * width), 0.0);
  for (std::int64_t first = 0; first < a.columns; first += depth) {
    const std::int64_t count = std::min(depth, a.columns - first);
    const std::vector<double> panels = packed_panels(b, first, count);
    for (std::int64_t row = 0; row < rows; row += tile.rows) {
      std::array<double, depth * most_tile_rows> left{};
      for (std::int64_t k = 0; k < count; ++k) {
        for (std::int64_t r = 0; r < tile.rows && row + r < a.rows; ++r) {
          left[static_cast<std::size_t>(k * tile.rows + r)] = a.at(row + r, first + k);
        }
      }
      for (std::int64_t column = 0; column < width; column += tile_columns) {
        tile.multiply(count, left.data(), panels.data() + column * count, sums.data() + row * width + column, width);
      }
    }
  }
  std::vector<double> result(static_cast<std::size_t>(a.rows * b.columns));
  for (std::int64_t row = 0; row < a.rows; ++row) {
    std::copy_n(sums.data() + row * width, b.columns, result.data() + row * b.columns);
  }
  return result;
}

}  // namespace blindspot::tests
