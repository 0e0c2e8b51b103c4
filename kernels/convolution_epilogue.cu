// y_i = relu?(x_i + r_i + b_c) over flat arrays of `count` elements whose last dimension is the channel c, with bit i%8
// of byte i/8 of the mask set where the sum was > 0 or NaN. Residual r and mask may be missing.
//
// Bytes an element: e for each of x, r and y that there is, 1/8 for the mask, the bias from the cache; e is 4, 2 or 2
// (float32, bfloat16, float16). The sum is formed in float32, in the order written, and rounded once. y may be the same
// array as x or r: a thread reads its elements before it writes them.
#include "kernels/convolution_epilogue.cuh"

#include "kernels/launch.cuh"
#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

template <class T>
struct EpilogueArrays {
  const T* x;
  const T* residual;  // may be null
  const float* bias;  // [channels]
  T* y;
  std::uint8_t* mask;  // may be null
};

template <class T>
__global__ void __launch_bounds__(octet_threads)
    epilogue_kernel(EpilogueArrays<T> arrays, std::int64_t count, int channels, bool aligned) {
  Octet<T> x[octets_each];
  Octet<T> residual[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    x[k] = load_octet(arrays.x, octet_start(k), count, aligned);
    if (arrays.residual != nullptr) residual[k] = load_octet(arrays.residual, octet_start(k), count, aligned);
  }
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    if (start >= count) continue;
    int channel = static_cast<int>(start % channels);
    std::uint32_t bits = 0;
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      float sum = arrays.residual != nullptr ? x[k].at(i) + residual[k].at(i) : x[k].at(i);
      sum += arrays.bias[channel];
      const bool positive = is_positive(sum);
      bits |= static_cast<std::uint32_t>(positive) << i;
      x[k].set(i, positive || arrays.mask == nullptr ? sum : 0.0F);
      channel = channel + 1 == channels ? 0 : channel + 1;
    }
    store_octet(x[k], arrays.y, start, count, aligned);
    if (arrays.mask != nullptr) {
      arrays.mask[start / octet_size] = static_cast<std::uint8_t>(bits & octet_bits_inside(start, count));
    }
  }
}

}  // namespace

cudaError_t convolution_epilogue(const void* x, const void* residual, const float* bias, void* y, std::uint8_t* mask,
                                 Element element, EpilogueSizes sizes, cudaStream_t stream) {
  if (sizes.count < 0 || sizes.channels < 1 || sizes.channels > (1 << 30)) return cudaErrorInvalidValue;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const EpilogueArrays<T> arrays = {static_cast<const T*>(x), static_cast<const T*>(residual), bias,
                                      static_cast<T*>(y), mask};
    return launch_octets(epilogue_kernel<T>, sizes.count, stream, arrays, sizes.count, static_cast<int>(sizes.channels),
                         on_packs(x) && on_packs(residual) && on_packs(y));
  });
}

}  // namespace blindspot::kernels
