// How layer norm and its gradient divide rows among threads: a row belongs to a group of 8, 16 or 32 lanes, each of
// which holds up to four octets of it in registers, `Lanes` octets apart. May use octet.cuh.
#pragma once

#include <cstdint>

#include "kernels/octet.cuh"

namespace blindspot::kernels {

/// Four blocks a multiprocessor at least: room for 128 registers a thread.
constexpr int norm_threads = 128;

/// The row of this thread, and where its octets lie. All lanes of a warp take part in sums; `exists` false: on behalf
/// of no row (the last one is read again and nothing is written).
template <int Lanes>
struct NormRow {
  std::int64_t row;
  int lane;
  bool exists;

  __device__ explicit NormRow(std::int64_t rows)
      : row(std::int64_t{blockIdx.x} * (norm_threads / Lanes) + threadIdx.x / Lanes),
        lane(static_cast<int>(threadIdx.x % Lanes)),
        exists(row < rows) {
    if (!exists) row = rows - 1;
  }
  /// First element of the lane's octet number `number`.
  __device__ int start(int number) const { return (lane + number * Lanes) * octet_size; }
};

template <class T>
__device__ Octet<T> read_octet(const T* from) {
  constexpr int size = Pack<T>::size;
  const auto* packs = accessed_as<const Pack<T>>(from);
  Octet<T> octet;
#pragma unroll
  for (int pack = 0; pack < octet_size / size; ++pack) octet.packs[pack] = packs[pack];
  return octet;
}

template <class T>
__device__ void write_octet(const Octet<T>& octet, T* to) {
  constexpr int size = Pack<T>::size;
  auto* packs = accessed_as<Pack<T>>(to);
#pragma unroll
  for (int pack = 0; pack < octet_size / size; ++pack) packs[pack] = octet.packs[pack];
}

/// Sum of eight, in pairs.
__device__ inline float octet_sum(const float (&values)[octet_size]) {
  return ((values[0] + values[1]) + (values[2] + values[3])) + ((values[4] + values[5]) + (values[6] + values[7]));
}

struct NormConstants {
  std::int64_t rows;
  int width;
  double inverse_width;
};

/// What a kernel that holds its rows in registers is compiled for.
template <int LanesOfRow, int OctetsOfLane>
struct NormLayout {
  static constexpr int lanes = LanesOfRow, octets = OctetsOfLane;
};

/// Calls function(NormLayout) with the smallest layout that holds rows of `width`, a multiple of 8 up to 1024.
template <class F>
cudaError_t with_norm_layout(std::int64_t width, F function) {
  const std::int64_t octets = width / octet_size;
  if (octets <= 8) return function(NormLayout<8, 1>{});
  if (octets <= 16) return function(NormLayout<16, 1>{});
  if (octets <= 32) return function(NormLayout<32, 1>{});
  if (octets <= 64) return function(NormLayout<32, 2>{});
  if (octets <= 96) return function(NormLayout<32, 3>{});
  return function(NormLayout<32, 4>{});
}

inline bool fits_norm_layout(std::int64_t width) {
  return width % octet_size == 0 && width <= 1024;
}

/// Calls function(Stream{}, Activation{}) for the pairs of types that layer norm takes.
template <class F>
cudaError_t with_norm_elements(Element stream, Element activation, F function) {
  if (stream != Element::float32 && stream != activation) return cudaErrorInvalidValue;
  return with_element(activation, [&](auto activation_zero) {
    if (stream == Element::float32) return function(float{}, activation_zero);
    return function(activation_zero, activation_zero);
  });
}

/// Launches with a group of `lanes` lanes a row.
template <class... Parameters, class... Arguments>
cudaError_t launch_rows(void (*kernel)(Parameters...), std::int64_t rows, int lanes, cudaStream_t stream,
                        Arguments... arguments) {
  const std::int64_t rows_each = norm_threads / lanes;
  const std::int64_t blocks = (rows + rows_each - 1) / rows_each;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  return launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(norm_threads), 0, stream, arguments...);
}

}  // namespace blindspot::kernels
