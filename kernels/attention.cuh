// Attention of each head of each image on its own, and its input gradient, on tensor cores. Launchers only; may be
// called from host code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Any number of tokens and heads; head_width from 1 to 128.
struct AttentionShape {
  std::int64_t batch = 0;
  int tokens = 0, heads = 0, head_width = 0;
};

/// out = softmax(Q Kᵀ / √head_width) V and log_sum_exp, the logarithm of each row's Σ exp(score).
/// qkv [N, T, 3, heads, head_width] and out [N, T, heads, head_width] hold `element`; log_sum_exp float32 [N, heads,
/// T]. Factors of a product are rounded to TF32, sums are float32; `exact` (float32 only; ignored for the 16-bit types)
/// keeps each factor as the sum of two TF32 numbers instead, for an error near float32's. `shared_memory_limit`: bytes
/// that a block may have on this device (cudaDevAttrMaxSharedMemoryPerBlockOptin); it decides how much one block does,
/// not what comes out.
cudaError_t attention_forward(Element element, bool exact, const AttentionShape& shape, const void* qkv, void* out,
                              float* log_sum_exp, std::size_t shared_memory_limit, cudaStream_t stream);

/// dqkv (shape of qkv, written whole) from dout (shape of out), with what forward read and wrote. `row_products`:
/// float32 scratch [N, heads, T].
cudaError_t attention_gradient(Element element, bool exact, const AttentionShape& shape, const void* qkv,
                               const void* out, const float* log_sum_exp, const void* dout, float* row_products,
                               void* dqkv, std::size_t shared_memory_limit, cudaStream_t stream);

}  // namespace blindspot::kernels
