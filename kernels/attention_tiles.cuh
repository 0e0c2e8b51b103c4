// Device code that attention's forward and gradient share: rows of a head as tiles in shared memory, products of such
// tiles on tensor cores, and how many rows a block takes. May use launch.cuh and instructions.cuh.
//
// A warp owns 16 rows of its block's tile. Lane 4g + t holds, of a product of 16 rows and 8 columns, the rows g and g +
// 8 and the columns 2t and 2t + 1. Rows in shared memory lie Width + 4 floats apart: then neither the reads along rows
// (row g, columns t and t + 4) nor those along columns (rows 2t and 2t + 1, column g) meet in a bank. The latter take
// the eight summed-over places of an mma in the order 0 2 4 6 1 3 5 7, in which a product's accumulators already lie as
// the left factor of the next product, so that nothing is exchanged between lanes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/attention.cuh"
#include "kernels/instructions.cuh"
#include "kernels/launch.cuh"

namespace blindspot::kernels {

inline constexpr int warp_rows = 16;
inline constexpr int most_warps = 8;   ///< a block
inline constexpr int short_step = 16;  ///< streamed rows of the last step where no more than these are left
/// Blocks of most_warps that should fit a multiprocessor's registers.
template <int Width, bool exact>
inline constexpr int resident_blocks = Width <= 64 && !exact ? 2 : 1;

/// Floats from one row of a tile to the next.
template <int Width>
inline constexpr int tile_stride = Width + 4;

__device__ inline int lane_group() {
  return static_cast<int>(threadIdx.x % 32) / 4;
}
__device__ inline int lane_place() {
  return static_cast<int>(threadIdx.x % 4);
}

/// Over the four lanes that share rows.
__device__ inline float sum_over_row(float value) {
  value += __shfl_xor_sync(0xffffffffU, value, 1);
  return value + __shfl_xor_sync(0xffffffffU, value, 2);
}
__device__ inline float maximum_over_row(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 2));
}

/// A lane's factors of one mma: rounded to TF32, or with `exact` as big + small, where small is what the rounding lost.
template <int count, bool exact>
struct Factors {
  std::uint32_t big[count];
  std::uint32_t small[count];  // unused unless exact

  __device__ void set(int place, float value) {
    big[place] = round_to_tf32(value);
    if constexpr (exact) small[place] = round_to_tf32(value - __uint_as_float(big[place]));
  }
  /// The same for a value from a tile, which without `exact` holds rounded ones.
  __device__ void set_from_tile(int place, float value) {
    if constexpr (exact) {
      set(place, value);
    } else {
      big[place] = __float_as_uint(value);
    }
  }
};

/// sums += left·right. Tensor cores cut off what does not fit when they add; with `exact` only eight products at a time
/// meet there, and the long sum is made outside, rounding to nearest.
template <bool exact>
__device__ void multiply_add(float (&sums)[4], const Factors<4, exact>& left, const Factors<2, exact>& right) {
  if constexpr (exact) {
    float step[4] = {};
    mma_split_tf32_m16n8k8(step, left.big, left.small, right.big, right.small);
    for (int i = 0; i < 4; ++i) sums[i] += step[i];
  } else {
    mma_tf32_m16n8k8(sums, left.big, right.big);
  }
}

/// sums[n] += (the warp's 16 rows at `left`) · (rows 8n … 8n + 7 at `right`)ᵀ, both tiles.
template <int Width, bool exact, int count>
__device__ void multiply_rows(const float* left, const float* right, float (&sums)[count][4]) {
  constexpr int stride = tile_stride<Width>;
  const int lane = lane_group() * stride + lane_place();
#pragma unroll(exact ? 1 : 2)
  for (int k = 0; k < Width; k += 8) {
    Factors<4, exact> left_factors;
    for (int i = 0; i < 4; ++i) {
      left_factors.set_from_tile(i, left[lane + k + i % 2 * 8 * stride + i / 2 * 4]);
    }
#pragma unroll
    for (int n = 0; n < count; ++n) {
      Factors<2, exact> right_factors;
      for (int i = 0; i < 2; ++i) right_factors.set_from_tile(i, right[lane + k + n * 8 * stride + i * 4]);
      multiply_add<exact>(sums[n], left_factors, right_factors);
    }
  }
}

/// sums[c] += left · (columns 8c … 8c + 7 of the 8·count rows at `right`), left as a product's accumulators.
template <int Width, bool exact, int count>
__device__ void multiply_columns(const float (&left)[count][4], const float* right, float (&sums)[Width / 8][4]) {
  constexpr int stride = tile_stride<Width>;
  const int lane = 2 * lane_place() * stride + lane_group();
#pragma unroll
  for (int n = 0; n < count; ++n) {
    Factors<4, exact> left_factors;
    for (int i = 0; i < 4; ++i) left_factors.set(i, left[n][i % 2 * 2 + i / 2]);
#pragma unroll
    for (int c = 0; c < Width / 8; ++c) {
      Factors<2, exact> right_factors;
      for (int i = 0; i < 2; ++i) right_factors.set_from_tile(i, right[lane + (n * 8 + i) * stride + c * 8]);
      multiply_add<exact>(sums[c], left_factors, right_factors);
    }
  }
}

/// One head's rows in an array [N, T, parts, heads, head_width].
template <class T>
struct HeadRows {
  T* first;
  int stride, count, width;
  bool packed;  ///< whole 16-byte packs, each of them aligned

  /// The part is added last: what comes before is one number for all parts, kept in one register.
  __device__ HeadRows(T* array, const AttentionShape& shape, int parts, int part, int head, bool all_packed)
      : first(
            array +
            (static_cast<std::int64_t>(head / shape.heads) * shape.tokens * parts * shape.heads + head % shape.heads) *
                shape.head_width +
            part * shape.heads * shape.head_width),
        stride(parts * shape.heads * shape.head_width),
        count(shape.tokens),
        width(shape.head_width),
        packed(all_packed) {}
};

template <bool exact>
__device__ float tile_value(float value) {
  return exact ? value : __uint_as_float(round_to_tf32(value));
}

/// `tile_rows` rows from `first_row` on into a tile [tile_rows, Width + 4]; zero beyond the head's rows and width.
template <int Width, bool exact, class T>
__device__ void load_tile(const HeadRows<const T>& rows, int first_row, int tile_rows, float* tile) {
  constexpr int size = Pack<T>::size;
  constexpr int packs = Width / size;
  for (int i = static_cast<int>(threadIdx.x); i < tile_rows * packs; i += static_cast<int>(blockDim.x)) {
    const int row = i / packs;
    const int column = i % packs * size;
    const T* const from = rows.first + static_cast<std::int64_t>(first_row + row) * rows.stride + column;
    const int valid = first_row + row < rows.count ? rows.width - column : 0;
    Pack<T> pack{};
    if (rows.packed && valid > 0) {
      pack = *accessed_as<const Pack<T>>(from);
    } else {
      for (int j = 0; j < size; ++j) {
        if (j < valid) pack.values[j] = from[j];
      }
    }
    for (int part = 0; part < size; part += 4) {
      Pack<float> stored;
      for (int j = 0; j < 4; ++j) stored.values[j] = tile_value<exact>(to_float(pack.values[part + j]));
      *accessed_as<Pack<float>>(tile + row * tile_stride<Width> + column + part) = stored;
    }
  }
}

/// The warp's 16 rows of sums, each times its row's factor, to rows from `first_row` on.
template <int Width, class T>
__device__ void store_rows(const float (&sums)[Width / 8][4], float factor, float factor_below, const HeadRows<T>& rows,
                           int first_row) {
  struct alignas(2 * sizeof(T)) Pair {
    T left, right;
  };
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + lane_group() + 8 * half;
    if (row >= rows.count) continue;
    T* const to = rows.first + static_cast<std::int64_t>(row) * rows.stride;
    const float scale = half == 0 ? factor : factor_below;
#pragma unroll
    for (int c = 0; c < Width / 8; ++c) {
      const int column = 8 * c + 2 * lane_place();
      const Pair pair{from_float<T>(sums[c][2 * half] * scale), from_float<T>(sums[c][2 * half + 1] * scale)};
      if (rows.packed && column < rows.width) {
        *accessed_as<Pair>(to + column) = pair;
      } else {
        if (column < rows.width) to[column] = pair.left;
        if (column + 1 < rows.width) to[column + 1] = pair.right;
      }
    }
  }
}

/// Where a block stands: blockIdx.x counts the blocks of the first image's first head, then those of its second.
struct BlockPlace {
  int head;       ///< image · heads + head
  int rows;       ///< rows of the block's tile
  int first_row;  ///< of the block's tile in the head
  int warp_row;   ///< first of the warp's 16 rows in the tile

  __device__ explicit BlockPlace(int tokens) : rows(static_cast<int>(blockDim.x) / 32 * warp_rows) {
    const int blocks = (tokens + rows - 1) / rows;
    head = static_cast<int>(blockIdx.x) / blocks;
    first_row = static_cast<int>(blockIdx.x) % blocks * rows;
    warp_row = static_cast<int>(threadIdx.x) / 32 * warp_rows;
  }
};

// --- on the host ----------------------------------------------------------------------------------------------------

/// Launches `kernel` over all heads: `fixed` tiles of the block's own rows and `streamed` tiles of step_rows rows stay
/// in shared memory, and `statistics` floats. A head's rows are divided evenly among as few blocks as hold them.
template <int Width, class... P, class... A>
cudaError_t launch_over_heads(void (*kernel)(P...), const AttentionShape& shape, int fixed, int streamed, int step_rows,
                              int statistics, std::size_t shared_memory_limit, cudaStream_t stream, A... arguments) {
  constexpr std::int64_t row_bytes = tile_stride<Width> * sizeof(float);
  const std::int64_t streamed_bytes =
      streamed * step_rows * row_bytes + statistics * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t warp_bytes = fixed * warp_rows * row_bytes;
  const std::int64_t fitting = (static_cast<std::int64_t>(shared_memory_limit) - streamed_bytes) / warp_bytes;
  const std::int64_t most = std::min<std::int64_t>(most_warps, fitting);
  if (most < 1) return cudaErrorInvalidConfiguration;
  const std::int64_t warps_needed = (shape.tokens + warp_rows - 1) / warp_rows;
  const std::int64_t blocks = (warps_needed + most - 1) / most;
  const std::int64_t warps = (warps_needed + blocks - 1) / blocks;
  const std::int64_t grid = shape.batch * shape.heads * ((warps_needed + warps - 1) / warps);
  if (grid > INT32_MAX) return cudaErrorInvalidConfiguration;
  return launch_within(shared_memory_limit, kernel, dim3(static_cast<unsigned>(grid)),
                       dim3(static_cast<unsigned>(warps) * 32),
                       static_cast<std::size_t>(streamed_bytes + warps * warp_bytes), stream, arguments...);
}

/// Calls f with the width of tiles that holds head_width, as a type.
template <class F>
cudaError_t with_tile_width(int head_width, F f) {
  if (head_width <= 32) return f(std::integral_constant<int, 32>{});
  if (head_width <= 64) return f(std::integral_constant<int, 64>{});
  if (head_width <= 96) return f(std::integral_constant<int, 96>{});
  return f(std::integral_constant<int, 128>{});
}

/// Calls f(element, width, exact), each as a type. bfloat16 and float16 numbers are TF32 numbers: exact has no use
/// there.
template <class F>
cudaError_t with_attention_types(Element element, bool exact, int head_width, F f) {
  return with_tile_width(head_width, [&](auto width) {
    if (element == Element::float32 && exact) return f(float{}, width, std::true_type{});
    return with_element(element, [&](auto value) { return f(value, width, std::false_type{}); });
  });
}

inline bool has_work(const AttentionShape& shape) {
  return shape.batch > 0 && shape.heads > 0 && shape.tokens > 0;
}
inline bool is_valid(const AttentionShape& shape) {
  return shape.batch >= 0 && shape.heads >= 0 && shape.tokens >= 0 && shape.head_width >= 1 && shape.head_width <= 128;
}

/// Whether rows of these arrays can be taken in packs of 16 bytes.
template <class T, class... Pointers>
bool all_packed(const AttentionShape& shape, Pointers... pointers) {
  return shape.head_width % Pack<T>::size == 0 &&
         ((reinterpret_cast<std::uintptr_t>(pointers) % sizeof(Pack<T>) == 0) && ...);
}

inline float score_scale(int head_width) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_width)));
}

}  // namespace blindspot::kernels
