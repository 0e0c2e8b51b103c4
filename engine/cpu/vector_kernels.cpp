// The table of vector_kernels.h for one instruction set: compiled three times, with -march=x86-64-v2, -v3 and -v4 and
// BLINDSPOT_VECTOR_LEVEL set to v2, v3 and v4 as the name of the namespace that holds all loops. It and the vector_*.h
// that it includes may use <cstdint>, <immintrin.h> and code of that namespace, nothing else: an inline function of the
// standard library would be emitted with wide instructions under a name that the whole program shares, and the linker
// could pick that one for a processor that lacks them. Without contraction (-ffp-contract=off) all three give the same
// bits.
#include "engine/cpu/vector_kernels.h"

#include "engine/cpu/vector_elementwise.h"
#include "engine/cpu/vector_gelu.h"
#include "engine/cpu/vector_rows.h"
#include "engine/cpu/vector_softmax.h"

namespace blindspot::cpu {
namespace BLINDSPOT_VECTOR_LEVEL {

template <typename Element>
constexpr ElementKernels<Element> element_kernels = {
    .relu = relu<Element>,
    .pack_mask = pack_mask<Element>,
    .apply_mask = apply_mask<Element>,
    .add = add<Element>,
    .add_and_mask = add_and_mask<Element>,
    .affine_relu = affine_relu<Element>,
    .affine_relu_gradient = affine_relu_gradient<Element>,
    .gelu = gelu<Element>,
    .gelu_gradient = gelu_gradient<Element>,
    .max_pool = max_pool<Element>,
    .max_pool_gradient = max_pool_gradient<Element>,
    .average_pool = average_pool<Element>,
    .average_pool_gradient = average_pool_gradient<Element>,
    .poison = poison<Element>,
    .softmax = softmax<Element>,
    .softmax_gradient = softmax_gradient<Element>,
};

template <typename Stream, typename Activation>
constexpr NormKernels<Stream, Activation> norm_kernels = {
    .forward = layer_norm<Stream, Activation>,
    .gradient = layer_norm_gradient<Stream, Activation>,
};

constexpr const char* level_name() {
#if defined(__AVX512F__)
  return "x86-64-v4";
#elif defined(__AVX2__)
  return "x86-64-v3";
#else
  return "x86-64-v2";
#endif
}

constexpr VectorKernels table = {
    .name = level_name(),
    .float32 = element_kernels<float>,
    .bfloat16 = element_kernels<Bfloat16>,
    .norm_float32 = norm_kernels<float, float>,
    .norm_mixed = norm_kernels<float, Bfloat16>,
    .norm_bfloat16 = norm_kernels<Bfloat16, Bfloat16>,
    .to_bfloat16 = convert<float, Bfloat16>,
    .to_float32 = convert<Bfloat16, float>,
    .gradient_products = gradient_products,
    .step = step,
};

}  // namespace BLINDSPOT_VECTOR_LEVEL

#if defined(__AVX512F__)
const VectorKernels& vector_kernels_v4() {
  return BLINDSPOT_VECTOR_LEVEL::table;
}
#elif defined(__AVX2__)
const VectorKernels& vector_kernels_v3() {
  return BLINDSPOT_VECTOR_LEVEL::table;
}
#else
const VectorKernels& vector_kernels_v2() {
  return BLINDSPOT_VECTOR_LEVEL::table;
}
#endif

}  // namespace blindspot::cpu
