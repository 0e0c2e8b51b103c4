// dx_i = m_i·(a_i + b_i) over flat arrays of `count` elements, where b may be missing and m_i is bit i%8 of byte i/8 of
// a ReLU's mask, or 1 without one. A masked NaN is 0.
//
// Bytes an element: e for each of a, b and dx that there is, 1/8 for the mask; e is 4, 2 or 2 bytes (float32, bfloat16,
// float16). The sum is formed in float32 and rounded once. dx may be the same array as a or b: a thread reads its
// elements before it writes them.
#include "kernels/masked_sum.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

template <class T>
struct SumArrays {
  const T* a;
  const T* b;                // may be null
  const std::uint8_t* mask;  // may be null
  T* dx;
};

template <class T>
__global__ void __launch_bounds__(octet_threads)
    masked_sum_kernel(SumArrays<T> arrays, std::int64_t count, bool aligned) {
  Octet<T> a[octets_each];
  Octet<T> b[octets_each];
  std::uint32_t bits[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    bits[k] = arrays.mask != nullptr && start < count ? arrays.mask[start / octet_size] : 0xffU;
    a[k] = load_octet(arrays.a, start, count, aligned);
    if (arrays.b != nullptr) b[k] = load_octet(arrays.b, start, count, aligned);
  }
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      const float sum = arrays.b != nullptr ? a[k].at(i) + b[k].at(i) : a[k].at(i);
      a[k].set(i, (bits[k] >> i & 1U) != 0 ? sum : 0.0F);
    }
    store_octet(a[k], arrays.dx, octet_start(k), count, aligned);
  }
}

}  // namespace

cudaError_t masked_sum(const void* a, const void* b, const std::uint8_t* mask, void* dx, Element element,
                       std::int64_t count, cudaStream_t stream) {
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const SumArrays<T> arrays = {static_cast<const T*>(a), static_cast<const T*>(b), mask, static_cast<T*>(dx)};
    return launch_octets(masked_sum_kernel<T>, count, stream, arrays, count,
                         on_packs(a) && on_packs(b) && on_packs(dx));
  });
}

cudaError_t relu_gradient(void* dx, const std::uint8_t* mask, Element element, std::int64_t count,
                          cudaStream_t stream) {
  return masked_sum(dx, nullptr, mask, dx, element, count, stream);
}

cudaError_t add(const void* from, void* to, Element element, std::int64_t count, cudaStream_t stream) {
  return masked_sum(to, from, nullptr, to, element, count, stream);
}

}  // namespace blindspot::kernels
