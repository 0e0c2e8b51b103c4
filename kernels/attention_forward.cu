// Attention forward: out = softmax(Q Kᵀ / √W) V for each image and head, and each row's log Σ exp(score).
//
// qkv [N, T, 3, heads, W] → out [N, T, heads, W], log_sum_exp float32 [N, heads, T]. A block takes up to 128 query rows
// of a head, 16 a warp, and streams the head's keys and values through shared memory, 16 to 64 rows a step. The softmax
// is made as they come: running maximum and sum of each row, the output rescaled where the maximum grows. Steps run in
// the order of the keys, each row on its own, so neither the block's height nor the batch changes a bit.
//
// Products: 2, that is 4·T²·W operations a head. Bytes a head: Q and out once, K and V once a block, log_sum_exp.
// Factors are TF32 (or two TF32 numbers each); sums, softmax and statistics float32.
//
// Width 64, TF32: 127 registers, 34,816 bytes of shared memory and 4,352 a warp, so two blocks of eight warps fit an
// sm_80 or sm_90. Other widths and exact: 119 to 221 registers, none spilled.
#include "kernels/attention.cuh"
#include "kernels/attention_tiles.cuh"

namespace blindspot::kernels {
namespace {

/// Keys a step.
template <int Width, bool exact>
inline constexpr int forward_step_rows = Width > 64 ? (exact ? 16 : 32) : (exact ? 32 : 64);

/// A lane's part of the warp's rows while keys go by: index 0 row g, index 1 row g + 8.
template <int Width>
struct RunningRows {
  float output[Width / 8][4] = {};
  float maximum[2] = {-INFINITY, -INFINITY};
  float sum[2] = {};  ///< over the lane's own columns
};

/// Scores of 8·count keys to exp(score − maximum), and what is running to the new maximum.
template <int Width, int count>
__device__ void running_softmax(float (&scores)[count][4], float scale, int valid_keys, RunningRows<Width>& rows) {
  for (int half = 0; half < 2; ++half) {
    float maximum = rows.maximum[half];
#pragma unroll
    for (int n = 0; n < count; ++n) {
      for (int i = 0; i < 2; ++i) {
        float& score = scores[n][2 * half + i];
        score = 8 * n + 2 * lane_place() + i < valid_keys ? score * scale : -INFINITY;
        maximum = fmaxf(maximum, score);
      }
    }
    maximum = maximum_over_row(maximum);
    const float correction = expf(rows.maximum[half] - maximum);
    rows.maximum[half] = maximum;
    float sum = rows.sum[half] * correction;
#pragma unroll
    for (int n = 0; n < count; ++n) {
      for (int i = 0; i < 2; ++i) {
        float& score = scores[n][2 * half + i];
        score = expf(score - maximum);
        sum += score;
      }
    }
    rows.sum[half] = sum;
#pragma unroll
    for (int c = 0; c < Width / 8; ++c) {
      for (int i = 0; i < 2; ++i) rows.output[c][2 * half + i] *= correction;
    }
  }
}

/// The warp's rows meet 8·count keys.
template <int Width, bool exact, int count>
__device__ void attend(const float* queries, const float* keys, const float* values, float scale, int valid_keys,
                       RunningRows<Width>& rows) {
  float scores[count][4] = {};
  multiply_rows<Width, exact, count>(queries, keys, scores);
  running_softmax<Width, count>(scores, scale, valid_keys, rows);
  multiply_columns<Width, exact, count>(scores, values, rows.output);
}

template <class T, int Width, bool exact>
__global__ void __launch_bounds__(most_warps * 32, resident_blocks<Width, exact>)
    forward_kernel(const T* qkv, AttentionShape shape, float scale, bool packed, T* out, float* log_sum_exp) {
  constexpr int stride = tile_stride<Width>;
  constexpr int most_step_rows = forward_step_rows<Width, exact>;
  const BlockPlace place(shape.tokens);
  // What is streamed lies first: then its places are known when the kernel is compiled.
  float* const keys = dynamic_shared_memory<float>();       // [most_step_rows, stride]
  float* const values = keys + most_step_rows * stride;     // [most_step_rows, stride]
  float* const queries = values + most_step_rows * stride;  // [rows, stride]
  load_tile<Width, exact>(HeadRows<const T>(qkv, shape, 3, 0, place.head, packed), place.first_row, place.rows,
                          queries);
  const HeadRows<const T> key_rows(qkv, shape, 3, 1, place.head, packed);
  const HeadRows<const T> value_rows(qkv, shape, 3, 2, place.head, packed);
  const int first_row = place.first_row + place.warp_row;
  const float* const warp_queries = queries + place.warp_row * stride;
  RunningRows<Width> rows;
  for (int first_key = 0; first_key < shape.tokens; first_key += most_step_rows) {
    const int remaining = shape.tokens - first_key;
    const int step_rows = remaining > short_step ? most_step_rows : short_step;
    __syncthreads();
    load_tile<Width, exact>(key_rows, first_key, step_rows, keys);
    load_tile<Width, exact>(value_rows, first_key, step_rows, values);
    __syncthreads();
    if (first_row >= shape.tokens) continue;
    if (remaining > short_step) {
      attend<Width, exact, most_step_rows / 8>(warp_queries, keys, values, scale, remaining, rows);
    } else {
      attend<Width, exact, short_step / 8>(warp_queries, keys, values, scale, remaining, rows);
    }
  }
  if (first_row >= shape.tokens) return;
  for (float& sum : rows.sum) sum = sum_over_row(sum);
  store_rows<Width>(rows.output, 1.0F / rows.sum[0], 1.0F / rows.sum[1],
                    HeadRows<T>(out, shape, 1, 0, place.head, packed), first_row);
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + lane_group() + 8 * half;
    if (lane_place() == 0 && row < shape.tokens) {
      log_sum_exp[static_cast<std::int64_t>(place.head) * shape.tokens + row] =
          rows.maximum[half] + logf(rows.sum[half]);
    }
  }
}

}  // namespace

cudaError_t attention_forward(Element element, bool exact, const AttentionShape& shape, const void* qkv, void* out,
                              float* log_sum_exp, std::size_t shared_memory_limit, cudaStream_t stream) {
  if (!is_valid(shape)) return cudaErrorInvalidValue;
  if (!has_work(shape)) return cudaSuccess;
  return with_attention_types(element, exact, shape.head_width, [&](auto value, auto width, auto is_exact) {
    using T = decltype(value);
    constexpr int tile_width = decltype(width)::value;
    constexpr bool splits = decltype(is_exact)::value;
    return launch_over_heads<tile_width>(forward_kernel<T, tile_width, splits>, shape, 1, 2,
                                         forward_step_rows<tile_width, splits>, 0, shared_memory_limit, stream,
                                         static_cast<const T*>(qkv), shape, score_scale(shape.head_width),
                                         all_packed<T>(shape, qkv, out), static_cast<T*>(out), log_sum_exp);
  });
}

}  // namespace blindspot::kernels
