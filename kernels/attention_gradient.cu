// Attention's input gradient: with P = exp(Q Kᵀ·s − log_sum_exp), s = 1/√W, for each image and head
//   dV = Pᵀ dO    dS = P ⊙ (dO Vᵀ − r), r = each row's dO · O    dQ = s·dS K    dK = s·dSᵀ Q
//
// qkv, dqkv [N, T, 3, heads, W], out, dout [N, T, heads, W], log_sum_exp and the scratch r float32 [N, heads, T]. P is
// made again and never stored. Two kernels, so that every sum is one warp's, in a fixed order, without atomics: the
// first takes query rows against all keys and writes dQ and r, the second key rows against all queries and writes dK
// and dV. A block takes up to 128 rows of a head, 16 a warp, and streams the others through shared memory.
//
// Products: 3 + 4 (5 are needed at least, since both make P and dO Vᵀ), that is 14·T²·W operations a head. Bytes a
// head: qkv and dout once for a block's own rows and once a block for what it streams, out and dqkv once, the
// statistics. Factors are TF32 (or two TF32 numbers each); sums, P, dS and statistics float32. Exact at widths above
// 64, where registers do not hold the sums of dK and dV together, makes P in a launch for each: 3 + 3 + 2 products.
//
// Width 64, TF32: 128 registers each; 21,760 (first) and 13,248 (second) bytes of shared memory and 8,704 a warp, so
// two blocks of seven warps fit an sm_80 or sm_90. Other widths and exact: 114 to 232 registers, none spilled.
#include "kernels/attention.cuh"
#include "kernels/attention_tiles.cuh"

namespace blindspot::kernels {
namespace {

/// Rows streamed a step: keys past queries, and queries past keys. As many as registers hold the scores of.
template <int Width, bool exact>
inline constexpr int query_step_rows = exact ? (Width <= 64 ? 32 : 16) : (Width <= 64 ? 40 : 32);
template <int Width, bool exact>
inline constexpr int key_step_rows = exact ? (Width <= 64 ? 32 : 16) : (Width == 64 ? 24 : 32);

/// dO · O of the lane's two rows, also stored for the second kernel.
template <class T>
__device__ void row_products_of(const HeadRows<const T>& dout, const HeadRows<const T>& out, int first_row,
                                float* row_products, float (&products)[2]) {
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + lane_group() + 8 * half;
    float sum = 0;
    if (row < out.count) {
      const T* const dout_row = dout.first + static_cast<std::int64_t>(row) * dout.stride;
      const T* const out_row = out.first + static_cast<std::int64_t>(row) * out.stride;
      for (int column = lane_place(); column < out.width; column += 4) {
        sum += to_float(dout_row[column]) * to_float(out_row[column]);
      }
    }
    products[half] = sum_over_row(sum);
    if (lane_place() == 0 && row < out.count) row_products[row] = products[half];
  }
}

/// The warp's query rows meet 8·count keys: dqueries += dS K.
template <int Width, bool exact, int count>
__device__ void meet_keys(const float* queries, const float* dout, const float* keys, const float* values, float scale,
                          int valid_keys, const float (&log_sum_exp)[2], const float (&row_products)[2],
                          float (&dqueries)[Width / 8][4]) {
  float scores[count][4] = {};
  float dscores[count][4] = {};
  multiply_rows<Width, exact, count>(queries, keys, scores);
  multiply_rows<Width, exact, count>(dout, values, dscores);
#pragma unroll
  for (int n = 0; n < count; ++n) {
    for (int i = 0; i < 4; ++i) {
      const bool valid = 8 * n + 2 * lane_place() + i % 2 < valid_keys;
      const float probability = valid ? expf(scores[n][i] * scale - log_sum_exp[i / 2]) : 0.0F;
      dscores[n][i] = probability * (dscores[n][i] - row_products[i / 2]);
    }
  }
  multiply_columns<Width, exact, count>(dscores, keys, dqueries);
}

template <class T, int Width, bool exact>
__global__ void __launch_bounds__(most_warps * 32, resident_blocks<Width, exact>)
    query_gradient_kernel(const T* qkv, const T* out, const float* log_sum_exp, const T* dout, AttentionShape shape,
                          float scale, bool packed, float* row_products, T* dqkv) {
  constexpr int stride = tile_stride<Width>;
  constexpr int most_step_rows = query_step_rows<Width, exact>;
  const BlockPlace place(shape.tokens);
  // What is streamed lies first: then its places are known when the kernel is compiled.
  float* const keys = dynamic_shared_memory<float>();       // [most_step_rows, stride]
  float* const values = keys + most_step_rows * stride;     // [most_step_rows, stride]
  float* const queries = values + most_step_rows * stride;  // [rows, stride]
  float* const dout_tile = queries + place.rows * stride;   // [rows, stride]
  const HeadRows<const T> dout_rows(dout, shape, 1, 0, place.head, packed);
  const HeadRows<const T> key_rows(qkv, shape, 3, 1, place.head, packed);
  const HeadRows<const T> value_rows(qkv, shape, 3, 2, place.head, packed);
  load_tile<Width, exact>(HeadRows<const T>(qkv, shape, 3, 0, place.head, packed), place.first_row, place.rows,
                          queries);
  load_tile<Width, exact>(dout_rows, place.first_row, place.rows, dout_tile);

  const int first_row = place.first_row + place.warp_row;
  const std::int64_t statistics = static_cast<std::int64_t>(place.head) * shape.tokens;
  float row_sums[2];
  float products[2];
  row_products_of(dout_rows, HeadRows<const T>(out, shape, 1, 0, place.head, packed), first_row,
                  row_products + statistics, products);
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + lane_group() + 8 * half;
    row_sums[half] = row < shape.tokens ? log_sum_exp[statistics + row] : 0.0F;
  }
  float dqueries[Width / 8][4] = {};
  for (int first_key = 0; first_key < shape.tokens; first_key += most_step_rows) {
    const int remaining = shape.tokens - first_key;
    const int step_rows = remaining > short_step ? most_step_rows : short_step;
    __syncthreads();
    load_tile<Width, exact>(key_rows, first_key, step_rows, keys);
    load_tile<Width, exact>(value_rows, first_key, step_rows, values);
    __syncthreads();
    if (first_row >= shape.tokens) continue;
    const float* const warp_queries = queries + place.warp_row * stride;
    const float* const warp_dout = dout_tile + place.warp_row * stride;
    if (remaining > short_step) {
      meet_keys<Width, exact, most_step_rows / 8>(warp_queries, warp_dout, keys, values, scale, remaining, row_sums,
                                                  products, dqueries);
    } else {
      meet_keys<Width, exact, short_step / 8>(warp_queries, warp_dout, keys, values, scale, remaining, row_sums,
                                              products, dqueries);
    }
  }
  if (first_row >= shape.tokens) return;
  store_rows<Width>(dqueries, scale, scale, HeadRows<T>(dqkv, shape, 3, 0, place.head, packed), first_row);
}

/// What a key kernel makes. Where registers do not hold the sums of both, there is a launch for each.
enum class Wanted : std::uint8_t { both, keys, values };

/// What the second kernel streams, in shared memory.
struct QueryStep {
  float *queries, *dout;          // [most_step_rows, stride]
  float *log_sum_exp, *products;  // [most_step_rows]
};

/// The warp's key rows meet 8·count queries: dvalues += Pᵀ dO, dkeys += dSᵀ Q.
template <int Width, bool exact, Wanted wanted, int count>
__device__ void meet_queries(const float* keys, const float* values, const QueryStep& step, float scale,
                             float (&dkeys)[Width / 8][4], float (&dvalues)[Width / 8][4]) {
  float probabilities[count][4] = {};  // transposed: rows are keys
  multiply_rows<Width, exact, count>(keys, step.queries, probabilities);
#pragma unroll
  for (int n = 0; n < count; ++n) {
    for (int i = 0; i < 4; ++i) {
      const float row_sum = step.log_sum_exp[8 * n + 2 * lane_place() + i % 2];
      probabilities[n][i] = expf(probabilities[n][i] * scale - row_sum);
    }
  }
  if constexpr (wanted != Wanted::keys) {
    multiply_columns<Width, exact, count>(probabilities, step.dout, dvalues);
  }
  if constexpr (wanted == Wanted::values) return;
  float dscores[count][4] = {};
  multiply_rows<Width, exact, count>(values, step.dout, dscores);
#pragma unroll
  for (int n = 0; n < count; ++n) {
    for (int i = 0; i < 4; ++i) {
      const float product = step.products[8 * n + 2 * lane_place() + i % 2];
      dscores[n][i] = probabilities[n][i] * (dscores[n][i] - product);
    }
  }
  multiply_columns<Width, exact, count>(dscores, step.queries, dkeys);
}

template <class T, int Width, bool exact, Wanted wanted>
__global__ void __launch_bounds__(most_warps * 32, resident_blocks<Width, exact>)
    key_gradient_kernel(const T* qkv, const float* log_sum_exp, const T* dout, const float* row_products,
                        AttentionShape shape, float scale, bool packed, T* dqkv) {
  constexpr int stride = tile_stride<Width>;
  constexpr int most_step_rows = key_step_rows<Width, exact>;
  const BlockPlace place(shape.tokens);
  QueryStep step{};
  step.queries = dynamic_shared_memory<float>();
  step.dout = step.queries + most_step_rows * stride;
  step.log_sum_exp = step.dout + most_step_rows * stride;
  step.products = step.log_sum_exp + most_step_rows;
  float* const keys = step.products + most_step_rows;  // [rows, stride]
  float* const values = keys + place.rows * stride;    // [rows, stride]
  load_tile<Width, exact>(HeadRows<const T>(qkv, shape, 3, 1, place.head, packed), place.first_row, place.rows, keys);
  load_tile<Width, exact>(HeadRows<const T>(qkv, shape, 3, 2, place.head, packed), place.first_row, place.rows, values);
  const HeadRows<const T> query_rows(qkv, shape, 3, 0, place.head, packed);
  const HeadRows<const T> dout_rows(dout, shape, 1, 0, place.head, packed);

  const int first_row = place.first_row + place.warp_row;
  const float* const warp_keys = keys + place.warp_row * stride;
  const float* const warp_values = values + place.warp_row * stride;
  float dkeys[Width / 8][4] = {};
  float dvalues[Width / 8][4] = {};
  for (int first_query = 0; first_query < shape.tokens; first_query += most_step_rows) {
    const int remaining = shape.tokens - first_query;
    const int step_rows = remaining > short_step ? most_step_rows : short_step;
    __syncthreads();
    load_tile<Width, exact>(query_rows, first_query, step_rows, step.queries);
    load_tile<Width, exact>(dout_rows, first_query, step_rows, step.dout);
    for (int i = static_cast<int>(threadIdx.x); i < step_rows; i += static_cast<int>(blockDim.x)) {
      const std::int64_t row = static_cast<std::int64_t>(place.head) * shape.tokens + first_query + i;
      step.log_sum_exp[i] = i < remaining ? log_sum_exp[row] : INFINITY;  // P = 0 beyond the last query
      step.products[i] = i < remaining ? row_products[row] : 0.0F;
    }
    __syncthreads();
    if (first_row >= shape.tokens) continue;
    if (remaining > short_step) {
      meet_queries<Width, exact, wanted, most_step_rows / 8>(warp_keys, warp_values, step, scale, dkeys, dvalues);
    } else {
      meet_queries<Width, exact, wanted, short_step / 8>(warp_keys, warp_values, step, scale, dkeys, dvalues);
    }
  }
  if (first_row >= shape.tokens) return;
  if constexpr (wanted != Wanted::values) {
    store_rows<Width>(dkeys, scale, scale, HeadRows<T>(dqkv, shape, 3, 1, place.head, packed), first_row);
  }
  if constexpr (wanted != Wanted::keys) {
    store_rows<Width>(dvalues, 1.0F, 1.0F, HeadRows<T>(dqkv, shape, 3, 2, place.head, packed), first_row);
  }
}

}  // namespace

cudaError_t attention_gradient(Element element, bool exact, const AttentionShape& shape, const void* qkv,
                               const void* out, const float* log_sum_exp, const void* dout, float* row_products,
                               void* dqkv, std::size_t shared_memory_limit, cudaStream_t stream) {
  if (!is_valid(shape)) return cudaErrorInvalidValue;
  if (!has_work(shape)) return cudaSuccess;
  return with_attention_types(element, exact, shape.head_width, [&](auto value, auto width, auto is_exact) {
    using T = decltype(value);
    constexpr int tile_width = decltype(width)::value;
    constexpr bool splits = decltype(is_exact)::value;
    const float scale = score_scale(shape.head_width);
    const bool packed = all_packed<T>(shape, qkv, out, dout, dqkv);
    const auto* const typed_qkv = static_cast<const T*>(qkv);
    const auto* const typed_dout = static_cast<const T*>(dout);
    const cudaError_t status = launch_over_heads<tile_width>(
        query_gradient_kernel<T, tile_width, splits>, shape, 2, 2, query_step_rows<tile_width, splits>, 0,
        shared_memory_limit, stream, typed_qkv, static_cast<const T*>(out), log_sum_exp, typed_dout, shape, scale,
        packed, row_products, static_cast<T*>(dqkv));
    if (status != cudaSuccess) return status;
    const auto launch_keys = [&](void (*kernel)(const T*, const float*, const T*, const float*, AttentionShape, float,
                                                bool, T*)) {
      return launch_over_heads<tile_width>(kernel, shape, 2, 2, key_step_rows<tile_width, splits>,
                                           2 * key_step_rows<tile_width, splits>, shared_memory_limit, stream,
                                           typed_qkv, log_sum_exp, typed_dout, static_cast<const float*>(row_products),
                                           shape, scale, packed, static_cast<T*>(dqkv));
    };
    if constexpr (splits && tile_width > 64) {
      const cudaError_t keys_status = launch_keys(key_gradient_kernel<T, tile_width, splits, Wanted::keys>);
      if (keys_status != cudaSuccess) return keys_status;
      return launch_keys(key_gradient_kernel<T, tile_width, splits, Wanted::values>);
    } else {
      return launch_keys(key_gradient_kernel<T, tile_width, splits, Wanted::both>);
    }
  });
}

}  // namespace blindspot::kernels
