// Layer norm over rows and pooling over channels-last pixels for vector_kernels.cpp, forward and gradient side by side.
// As in vector_blocks.h, nothing is included that the levels could share.
#pragma once

#include "engine/cpu/vector_blocks.h"

namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL {

/// Sum of 64 lanes, in order, in double.
inline double joined(const Block& sums) {
  double sum = 0;
  for (const float value : sums.values) sum += static_cast<double>(value);
  return sum;
}

template <typename Stream, typename Activation>
void layer_norm(const Stream* x, const float* scale, const float* shift, float epsilon, std::int64_t rows,
                std::int64_t width, Activation* y, Activation* normalised, float* inverse_deviation) {
  Block block, result;
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width, normalised += width) {
    Block sums{};
    for (std::int64_t i = 0; i < width; i += lanes) {
      load_block(x + i, width - i, block);
      for (int lane = 0; lane < lanes; ++lane) sums.values[lane] += block.values[lane];
    }
    const auto mean = static_cast<float>(joined(sums) / static_cast<double>(width));
    Block squares{};
    for (std::int64_t i = 0; i < width; i += lanes) {
      load_block(x + i, width - i, block, mean);
      for (int lane = 0; lane < lanes; ++lane) {
        const float difference = block.values[lane] - mean;
        squares.values[lane] += difference * difference;
      }
    }
    const double variance = joined(squares) / static_cast<double>(width);
    const auto inverse = static_cast<float>(1.0 / __builtin_sqrt(variance + static_cast<double>(epsilon)));
    inverse_deviation[row] = inverse;
    for (std::int64_t i = 0; i < width; i += lanes) {
      load_block(x + i, width - i, block);
      for (float& value : block.values) value = (value - mean) * inverse;
      store_block(block, normalised + i, width - i);
      load_block(scale + i, width - i, result);
      for (int lane = 0; lane < lanes; ++lane) block.values[lane] *= result.values[lane];
      load_block(shift + i, width - i, result);
      for (int lane = 0; lane < lanes; ++lane) block.values[lane] += result.values[lane];
      store_block(block, y + i, width - i);
    }
  }
}

/// g = scale·dy of one block.
template <typename Activation>
inline void scaled_gradient(const Activation* dy, const float* scale, std::int64_t count, Block& scales, Block& g) {
  load_block(dy, count, g);
  load_block(scale, count, scales);
  for (int lane = 0; lane < lanes; ++lane) g.values[lane] *= scales.values[lane];
}

template <typename Stream, typename Activation>
void layer_norm_gradient(const Activation* dy, const float* scale, const Activation* normalised,
                         const float* inverse_deviation, std::int64_t rows, std::int64_t width, Stream* dx,
                         bool accumulate) {
  Block g, scales, values;
  for (std::int64_t row = 0; row < rows; ++row, dy += width, normalised += width, dx += width) {
    Block sums{}, products{};
    for (std::int64_t i = 0; i < width; i += lanes) {
      scaled_gradient(dy + i, scale + i, width - i, scales, g);
      load_block(normalised + i, width - i, values);
      for (int lane = 0; lane < lanes; ++lane) {
        sums.values[lane] += g.values[lane];
        products.values[lane] += g.values[lane] * values.values[lane];
      }
    }
    const auto mean = static_cast<float>(joined(sums) / static_cast<double>(width));
    const auto product = static_cast<float>(joined(products) / static_cast<double>(width));
    const float inverse = inverse_deviation[row];
    for (std::int64_t i = 0; i < width; i += lanes) {
      scaled_gradient(dy + i, scale + i, width - i, scales, g);
      load_block(normalised + i, width - i, values);
      for (int lane = 0; lane < lanes; ++lane) {
        g.values[lane] = inverse * (g.values[lane] - mean - values.values[lane] * product);
      }
      if (accumulate) {
        load_block(dx + i, width - i, values);
        for (int lane = 0; lane < lanes; ++lane) g.values[lane] += values.values[lane];
      }
      store_block(g, dx + i, width - i);
    }
  }
}

/// Index bytes of a block; the rest is 255, a tap that no window has.
inline void load_index(const std::uint8_t* from, std::int64_t count, std::uint8_t (&index)[lanes]) {
  if (count >= lanes) {
    __builtin_memcpy(index, from, lanes);
    return;
  }
  for (std::int64_t i = 0; i < lanes; ++i) index[i] = i < count ? from[i] : 255;
}

template <typename Element>
void max_pool(const Element* x, const PoolRectangle& taps, std::int64_t channels, Element* y, std::uint8_t* index) {
  Block best, block;
  for (std::int64_t c = 0; c < channels; c += lanes) {
    const std::int64_t count = smaller(channels - c, lanes);
    std::int32_t winner[lanes];
    load_block(x + c, count, best);
    for (std::int32_t& tap : winner) tap = taps.first_tap;
    for (std::int64_t row = 0; row < taps.rows; ++row) {
      for (std::int64_t column = row == 0 ? 1 : 0; column < taps.columns; ++column) {
        load_block(x + c + row * taps.row_stride + column * taps.column_stride, count, block);
        const std::int32_t tap = taps.first_tap + static_cast<std::int32_t>(row) * taps.tap_row_step +
                                 static_cast<std::int32_t>(column) * taps.tap_column_step;
        for (int lane = 0; lane < lanes; ++lane) {
          const float value = block.values[lane];
          const bool wins = (value > best.values[lane]) | (value != value);
          best.values[lane] = wins ? value : best.values[lane];
          winner[lane] = wins ? tap : winner[lane];
        }
      }
    }
    store_block(best, y + c, count);
    for (std::int64_t lane = 0; lane < count; ++lane) index[c + lane] = static_cast<std::uint8_t>(winner[lane]);
  }
}

template <typename Element>
void max_pool_gradient(const Element* dy, const std::uint8_t* index, const PoolRectangle& windows,
                       std::int64_t channels, MaskBits mask, Element* dx) {
  Block block;
  for (std::int64_t c = 0; c < channels; c += lanes) {
    const std::int64_t count = smaller(channels - c, lanes);
    Block sum{};
    for (std::int64_t row = 0; row < windows.rows; ++row) {
      for (std::int64_t column = 0; column < windows.columns; ++column) {
        const std::int64_t at = c + row * windows.row_stride + column * windows.column_stride;
        const int tap = windows.first_tap + static_cast<int>(row) * windows.tap_row_step +
                        static_cast<int>(column) * windows.tap_column_step;
        std::uint8_t winner[lanes];
        load_index(index + at, count, winner);
        load_block(dy + at, count, block);
        for (int lane = 0; lane < lanes; ++lane) {
          sum.values[lane] += static_cast<int>(winner[lane]) == tap ? block.values[lane] : 0.0F;
        }
      }
    }
    if (mask.bytes != nullptr) apply_bits(load_bits_at(mask.bytes, mask.first + c, count), sum);
    store_block(sum, dx + c, count);
  }
}

template <typename Element>
void average_pool(const Element* x, const PoolRectangle& taps, std::int64_t channels, Element* y) {
  Block block;
  const auto size = static_cast<float>(taps.rows * taps.columns);
  for (std::int64_t c = 0; c < channels; c += lanes) {
    const std::int64_t count = smaller(channels - c, lanes);
    Block sum{};
    for (std::int64_t row = 0; row < taps.rows; ++row) {
      for (std::int64_t column = 0; column < taps.columns; ++column) {
        load_block(x + c + row * taps.row_stride + column * taps.column_stride, count, block);
        for (int lane = 0; lane < lanes; ++lane) sum.values[lane] += block.values[lane];
      }
    }
    for (float& value : sum.values) value /= size;
    store_block(sum, y + c, count);
  }
}

/// Input rows (or columns) that output `position` of an adaptive average reads.
inline std::int64_t adaptive_size(std::int64_t position, std::int64_t in, std::int64_t out) {
  return ((position + 1) * in + out - 1) / out - position * in / out;
}

template <typename Element>
void average_pool_gradient(const Element* dy, const AdaptiveWindows& windows, std::int64_t channels, MaskBits mask,
                           Element* dx) {
  Block block;
  for (std::int64_t c = 0; c < channels; c += lanes) {
    const std::int64_t count = smaller(channels - c, lanes);
    Block sum{};
    for (std::int64_t row = windows.first_row; row < windows.first_row + windows.rows; ++row) {
      const std::int64_t height = adaptive_size(row, windows.in_height, windows.out_height);
      for (std::int64_t column = windows.first_column; column < windows.first_column + windows.columns; ++column) {
        const auto size = static_cast<float>(height * adaptive_size(column, windows.in_width, windows.out_width));
        load_block(dy + c + (row * windows.out_width + column) * channels, count, block);
        for (int lane = 0; lane < lanes; ++lane) sum.values[lane] += block.values[lane] / size;
      }
    }
    if (mask.bytes != nullptr) apply_bits(load_bits_at(mask.bytes, mask.first + c, count), sum);
    store_block(sum, dx + c, count);
  }
}

}  // namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL
