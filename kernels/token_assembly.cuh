// The token stream of a transformer: patches behind a class token, with positions added; the class token taken out
// again; the gradients of both. Launchers only; layouts and formulas in token_assembly.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Sizes of a stream [images, 1 + patches, width].
struct TokenShape {
  std::int64_t images, patches, width;
};

/// tokens[n, 0] = class_token + position[0]; tokens[n, 1 + t] = patches[n, t] + position[1 + t]; tokens, class_token
/// [width] and position [1 + patches, width] float32.
cudaError_t assemble_tokens(const TokenShape& shape, const void* patches, Element patch_element,
                            const float* class_token, const float* position, float* tokens, cudaStream_t stream);

/// dpatches[n, t] = dtokens[n, 1 + t].
cudaError_t assemble_tokens_gradient(const TokenShape& shape, const void* dtokens, Element token_element,
                                     void* dpatches, Element patch_element, cudaStream_t stream);

/// y[n] = tokens[n, 0], y [images, width].
cudaError_t class_token(const TokenShape& shape, const void* tokens, Element token_element, void* y, Element y_element,
                        cudaStream_t stream);

/// dtokens[n, 0] = dy[n], zero elsewhere.
cudaError_t class_token_gradient(const TokenShape& shape, const void* dy, Element dy_element, void* dtokens,
                                 Element token_element, cudaStream_t stream);

}  // namespace blindspot::kernels
