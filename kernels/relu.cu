// ReLU in place and its bits, over flat arrays of `count` elements.
//
//   relu       x_i ← max(x_i, 0); bit i%8 of byte i/8 of the mask = x_i > 0 or NaN. Bytes: 2·e + 1/8 an element.
//   relu_mask  the same bits from y = max(x, 0), which is only read. Bytes: e + 1/8 an element.
//
// e is 4, 2 or 2 bytes (float32, bfloat16, float16). Nothing is accumulated; comparisons are made in float32. Bits of
// the last byte beyond `count` are zero.
#include "kernels/relu.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

template <class T>
__device__ std::uint32_t positive_bits(const Octet<T>& octet) {
  std::uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < octet_size; ++i) bits |= is_positive(octet.at(i)) ? 1U << i : 0U;
  return bits;
}

template <class T>
__global__ void __launch_bounds__(octet_threads)
    relu_kernel(T* x, std::uint8_t* mask, std::int64_t count, bool aligned) {
  Octet<T> octets[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) octets[k] = load_octet(x, octet_start(k), count, aligned);
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    if (start >= count) return;
    const std::uint32_t bits = positive_bits(octets[k]);
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      if ((bits >> i & 1U) == 0) octets[k].set(i, 0.0F);
    }
    store_octet(octets[k], x, start, count, aligned);
    mask[start / octet_size] = static_cast<std::uint8_t>(bits);
  }
}

template <class T>
__global__ void __launch_bounds__(octet_threads)
    relu_mask_kernel(const T* y, std::uint8_t* mask, std::int64_t count, bool aligned) {
  Octet<T> octets[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) octets[k] = load_octet(y, octet_start(k), count, aligned);
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    if (start < count) mask[start / octet_size] = static_cast<std::uint8_t>(positive_bits(octets[k]));
  }
}

}  // namespace

cudaError_t relu(void* x, std::uint8_t* mask, Element element, std::int64_t count, cudaStream_t stream) {
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return launch_octets(relu_kernel<T>, count, stream, static_cast<T*>(x), mask, count, on_packs(x));
  });
}

cudaError_t relu_mask(const void* y, std::uint8_t* mask, Element element, std::int64_t count, cudaStream_t stream) {
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return launch_octets(relu_mask_kernel<T>, count, stream, static_cast<const T*>(y), mask, count, on_packs(y));
  });
}

}  // namespace blindspot::kernels
