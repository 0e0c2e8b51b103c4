// dx = inverse·(g − mean(g) − normalised·mean(g·normalised)) (+ dx), g = scale·dy, for each row; dy, normalised and dx
// [rows, C], inverse [rows], scale [C].
//
// Bytes an element: dy and normalised once, dx once, twice where it is added to. Float32; a lane's own sums are
// float32, lanes are joined in double, in an order that depends on C alone. Rows are divided as in layer_norm.cu, and
// stay in registers between the sums and the result.
#include "kernels/double_sums.cuh"
#include "kernels/layer_norm.cuh"
#include "kernels/layer_norm_rows.cuh"

namespace blindspot::kernels {
namespace {

template <class Stream, class T>
struct GradientPointers {
  const T *dy, *normalised;
  const float *scale, *inverse_deviation;
  Stream* dx;
};

template <class Stream, class T, class Layout, bool Accumulate>
__global__ void __launch_bounds__(norm_threads, 4)
    layer_norm_gradient_kernel(GradientPointers<Stream, T> arrays, NormConstants constants) {
  const NormRow<Layout::lanes> place(constants.rows);
  const std::int64_t first = place.row * constants.width;
  float g[Layout::octets][octet_size] = {};
  Octet<T> normalised[Layout::octets] = {};
  Octet<Stream> former[Layout::octets] = {};
  const float inverse = arrays.inverse_deviation[place.row];
  float sum = 0, product = 0;
#pragma unroll
  for (int k = 0; k < Layout::octets; ++k) {
    const int start = place.start(k);
    if (start >= constants.width) continue;
    const Octet<T> dy = read_octet(arrays.dy + first + start);
    normalised[k] = read_octet(arrays.normalised + first + start);
    if constexpr (Accumulate) {
      // Lanes without a row stay away: the last row's own lanes write it.
      if (place.exists) former[k] = read_octet(arrays.dx + first + start);
    }
    const Octet<float> scales = read_octet(arrays.scale + start);
    float products[octet_size];
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      g[k][i] = scales.at(i) * dy.at(i);
      products[i] = g[k][i] * normalised[k].at(i);
    }
    sum += octet_sum(g[k]);
    product += octet_sum(products);
  }
  const auto mean = static_cast<float>(group_sum<Layout::lanes>(sum) * constants.inverse_width);
  const auto mean_product = static_cast<float>(group_sum<Layout::lanes>(product) * constants.inverse_width);
  if (!place.exists) return;
#pragma unroll
  for (int k = 0; k < Layout::octets; ++k) {
    const int start = place.start(k);
    if (start >= constants.width) continue;
    Octet<Stream> result;
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      float value = inverse * (g[k][i] - mean - normalised[k].at(i) * mean_product);
      if constexpr (Accumulate) value += former[k].at(i);
      result.set(i, value);
    }
    write_octet(result, arrays.dx + first + start);
  }
}

/// Any width, any place: a warp a row.
template <class Stream, class T>
__global__ void __launch_bounds__(norm_threads, 4)
    layer_norm_gradient_any_kernel(GradientPointers<Stream, T> arrays, NormConstants constants, bool accumulate) {
  const NormRow<32> place(constants.rows);
  const std::int64_t first = place.row * constants.width;
  float sum = 0, product = 0;
  for (int e = place.lane; e < constants.width; e += 32) {
    const float g = arrays.scale[e] * to_float(arrays.dy[first + e]);
    sum += g;
    product += g * to_float(arrays.normalised[first + e]);
  }
  const auto mean = static_cast<float>(group_sum<32>(sum) * constants.inverse_width);
  const auto mean_product = static_cast<float>(group_sum<32>(product) * constants.inverse_width);
  if (!place.exists) return;
  const float inverse = arrays.inverse_deviation[place.row];
  for (int e = place.lane; e < constants.width; e += 32) {
    const float g = arrays.scale[e] * to_float(arrays.dy[first + e]);
    float value = inverse * (g - mean - to_float(arrays.normalised[first + e]) * mean_product);
    if (accumulate) value += to_float(arrays.dx[first + e]);
    arrays.dx[first + e] = from_float<Stream>(value);
  }
}

}  // namespace

cudaError_t layer_norm_gradient(const LayerNormShape& shape, const LayerNormGradientArrays& arrays, bool accumulate,
                                cudaStream_t stream) {
  if (shape.rows == 0 || shape.width == 0) return cudaSuccess;
  if (shape.width > INT32_MAX / 2) return cudaErrorInvalidValue;
  const NormConstants constants = {shape.rows, static_cast<int>(shape.width), 1.0 / static_cast<double>(shape.width)};
  const bool aligned = fits_norm_layout(shape.width) && on_packs(arrays.dy) && on_packs(arrays.normalised) &&
                       on_packs(arrays.scale) && on_packs(arrays.dx);
  return with_norm_elements(arrays.dx_element, arrays.activation, [&](auto stream_zero, auto activation_zero) {
    using Stream = decltype(stream_zero);
    using T = decltype(activation_zero);
    const GradientPointers<Stream, T> pointers = {static_cast<const T*>(arrays.dy),
                                                  static_cast<const T*>(arrays.normalised), arrays.scale,
                                                  arrays.inverse_deviation, static_cast<Stream*>(arrays.dx)};
    if (!aligned) {
      return launch_rows(layer_norm_gradient_any_kernel<Stream, T>, shape.rows, 32, stream, pointers, constants,
                         accumulate);
    }
    return with_norm_layout(shape.width, [&](auto layout) {
      using Layout = decltype(layout);
      auto* const kernel = accumulate ? layer_norm_gradient_kernel<Stream, T, Layout, true>
                                      : layer_norm_gradient_kernel<Stream, T, Layout, false>;
      return launch_rows(kernel, shape.rows, Layout::lanes, stream, pointers, constants);
    });
  });
}

}  // namespace blindspot::kernels
