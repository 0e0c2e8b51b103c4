// to_i = from_i over flat arrays of `count` elements, from any of float32, bfloat16 and float16 to any: by way of
// float32, which holds the others exactly, then rounded to nearest even. NaN stays NaN, what is too large for float16
// becomes infinite. Bytes: one element of each type.
#include "kernels/convert.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

template <class From, class To>
__global__ void __launch_bounds__(octet_threads)
    convert_kernel(const From* from, To* to, std::int64_t count, bool aligned) {
  Octet<From> octets[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) octets[k] = load_octet(from, octet_start(k), count, aligned);
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    Octet<To> result;
#pragma unroll
    for (int i = 0; i < octet_size; ++i) result.set(i, octets[k].at(i));
    store_octet(result, to, octet_start(k), count, aligned);
  }
}

}  // namespace

cudaError_t convert(const void* from, Element from_element, void* to, Element to_element, std::int64_t count,
                    cudaStream_t stream) {
  return with_element(from_element, [&](auto from_zero) {
    using From = decltype(from_zero);
    return with_element(to_element, [&](auto to_zero) {
      using To = decltype(to_zero);
      return launch_octets(convert_kernel<From, To>, count, stream, static_cast<const From*>(from),
                           static_cast<To*>(to), count, on_packs(from) && on_packs(to));
    });
  });
}

}  // namespace blindspot::kernels
