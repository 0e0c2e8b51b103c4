// mean = Σx/C, variance = Σ(x − mean)²/C, inverse = 1/√(variance + ε), normalised = (x − mean)·inverse,
// y = scale·normalised + shift, for each row of x [rows, C]; y and normalised [rows, C], inverse [rows].
//
// Bytes an element: x once, y and normalised once each. Float32; a lane's own sums are float32, lanes are joined in
// double, in an order that depends on C alone. A row stays in the registers of its lanes between the two sums and the
// result. Rows of an odd width, above 1024 or away from 16 bytes are read element by element, three times, by a warp
// each.
#include "kernels/layer_norm.cuh"

#include "kernels/double_sums.cuh"
#include "kernels/layer_norm_rows.cuh"

namespace blindspot::kernels {
namespace {

template <class Stream, class T>
struct NormPointers {
  const Stream* x;
  const float *scale, *shift;
  T *y, *normalised;
  float* inverse_deviation;
};

__device__ float inverse_of(double squares, double inverse_width, float epsilon) {
  return 1.0F / sqrtf(static_cast<float>(squares * inverse_width) + epsilon);
}

/// Writes y and normalised of one octet.
template <class T>
__device__ void write_norm(const float (&values)[octet_size], float mean, float inverse, const float* scale,
                           const float* shift, T* y, T* normalised) {
  const Octet<float> scales = read_octet(scale), shifts = read_octet(shift);
  Octet<T> plain, result;
#pragma unroll
  for (int i = 0; i < octet_size; ++i) {
    const float value = (values[i] - mean) * inverse;
    plain.set(i, value);
    result.set(i, value * scales.at(i) + shifts.at(i));
  }
  write_octet(plain, normalised);
  write_octet(result, y);
}

template <class Stream, class T, class Layout>
__global__ void __launch_bounds__(norm_threads, 4)
    layer_norm_kernel(NormPointers<Stream, T> arrays, NormConstants constants, float epsilon) {
  const NormRow<Layout::lanes> place(constants.rows);
  const std::int64_t first = place.row * constants.width;
  float values[Layout::octets][octet_size] = {};
  float sum = 0;
#pragma unroll
  for (int k = 0; k < Layout::octets; ++k) {
    if (place.start(k) >= constants.width) continue;
    const Octet<Stream> octet = read_octet(arrays.x + first + place.start(k));
#pragma unroll
    for (int i = 0; i < octet_size; ++i) values[k][i] = octet.at(i);
    sum += octet_sum(values[k]);
  }
  const auto mean = static_cast<float>(group_sum<Layout::lanes>(sum) * constants.inverse_width);
  float squares = 0;
#pragma unroll
  for (int k = 0; k < Layout::octets; ++k) {
    if (place.start(k) >= constants.width) continue;
    float of_octet[octet_size];
#pragma unroll
    for (int i = 0; i < octet_size; ++i) of_octet[i] = (values[k][i] - mean) * (values[k][i] - mean);
    squares += octet_sum(of_octet);
  }
  const float inverse = inverse_of(group_sum<Layout::lanes>(squares), constants.inverse_width, epsilon);
  if (!place.exists) return;
  if (place.lane == 0) arrays.inverse_deviation[place.row] = inverse;
#pragma unroll
  for (int k = 0; k < Layout::octets; ++k) {
    const int start = place.start(k);
    if (start >= constants.width) continue;
    write_norm(values[k], mean, inverse, arrays.scale + start, arrays.shift + start, arrays.y + first + start,
               arrays.normalised + first + start);
  }
}

/// Any width, any place: a warp a row.
template <class Stream, class T>
__global__ void __launch_bounds__(norm_threads, 4)
    layer_norm_any_kernel(NormPointers<Stream, T> arrays, NormConstants constants, float epsilon) {
  const NormRow<32> place(constants.rows);
  const std::int64_t first = place.row * constants.width;
  float sum = 0;
  for (int e = place.lane; e < constants.width; e += 32) sum += to_float(arrays.x[first + e]);
  const auto mean = static_cast<float>(group_sum<32>(sum) * constants.inverse_width);
  float squares = 0;
  for (int e = place.lane; e < constants.width; e += 32) {
    const float difference = to_float(arrays.x[first + e]) - mean;
    squares += difference * difference;
  }
  const float inverse = inverse_of(group_sum<32>(squares), constants.inverse_width, epsilon);
  if (!place.exists) return;
  if (place.lane == 0) arrays.inverse_deviation[place.row] = inverse;
  for (int e = place.lane; e < constants.width; e += 32) {
    const float value = (to_float(arrays.x[first + e]) - mean) * inverse;
    arrays.normalised[first + e] = from_float<T>(value);
    arrays.y[first + e] = from_float<T>(value * arrays.scale[e] + arrays.shift[e]);
  }
}

}  // namespace

cudaError_t layer_norm(const LayerNormShape& shape, const LayerNormArrays& arrays, float epsilon, cudaStream_t stream) {
  if (shape.rows == 0 || shape.width == 0) return cudaSuccess;
  if (shape.width > INT32_MAX / 2) return cudaErrorInvalidValue;
  const NormConstants constants = {shape.rows, static_cast<int>(shape.width), 1.0 / static_cast<double>(shape.width)};
  const bool aligned = fits_norm_layout(shape.width) && on_packs(arrays.x) && on_packs(arrays.scale) &&
                       on_packs(arrays.shift) && on_packs(arrays.y) && on_packs(arrays.normalised);
  return with_norm_elements(arrays.x_element, arrays.activation, [&](auto stream_zero, auto activation_zero) {
    using Stream = decltype(stream_zero);
    using T = decltype(activation_zero);
    const NormPointers<Stream, T> pointers = {static_cast<const Stream*>(arrays.x),
                                              arrays.scale,
                                              arrays.shift,
                                              static_cast<T*>(arrays.y),
                                              static_cast<T*>(arrays.normalised),
                                              arrays.inverse_deviation};
    if (!aligned) {
      return launch_rows(layer_norm_any_kernel<Stream, T>, shape.rows, 32, stream, pointers, constants, epsilon);
    }
    return with_norm_layout(shape.width, [&](auto layout) {
      using Layout = decltype(layout);
      return launch_rows(layer_norm_kernel<Stream, T, Layout>, shape.rows, Layout::lanes, stream, pointers, constants,
                         epsilon);
    });
  });
}

}  // namespace blindspot::kernels
