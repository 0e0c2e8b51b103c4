// Convolutions as cuDNN is asked for them: the graphs of a forward pass, alone or with what follows it, and of an input
// gradient. May use graph_description.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cuda/graph_description.h"

namespace blindspot::cuda {

/// A convolution as cuDNN sees it; also one that is not asked for in itself, as a gradient written as a convolution.
struct Geometry {
  std::int64_t batch, height, width, in_channels, out_height, out_width, out_channels;
  std::int64_t kernel_height, kernel_width, stride, pad_top, pad_left, pad_bottom, pad_right;
};

Geometry geometry_of(const ConvolutionDescription& description);
/// The input gradient of a stride-1 convolution: dy convolved with the kernel turned by half a turn, channels swapped.
Geometry turned_geometry(const Geometry& forward);
/// [K, R, S, C] → [C, R, S, K], rows and columns of the kernel in reverse.
std::vector<float> turned_weight(std::span<const float> weight, const Geometry& forward);

// Places of the tensors that every graph below has.
constexpr int input_place = 0;
constexpr int filter_place = 1;
constexpr int output_place = 2;

/// y = x ⋆ w, nothing else.
GraphDescription plain_graph(const Geometry& geometry, Type type, ProductPrecision products);
/// dx = dy ⋆ᵀ w.
GraphDescription gradient_graph(const Geometry& geometry, Type type, ProductPrecision products);

/// What follows a convolution or a gradient in its graph, in this order but for the bias; further tensors are named
/// residual_name, bias_name and mask_name.
struct Epilogue {
  bool residual = false, bias = false, relu = false, mask = false;
  bool bias_first = false;  ///< before the residual
};

/// y = relu?(x ⋆ w (+ residual) (+ bias)), or with the bias first: for which cuDNN has the better kernels differs
/// between its versions. The bias is float32: rounded to bf16 it alone takes a trained ResNet-20's logits from 1.0e-2
/// off to 1.3e-2, beyond PyTorch's autocast.
GraphDescription fused_graph(const Geometry& geometry, Type type, ProductPrecision products, const Epilogue& epilogue);
/// dx = mask? ⊙ (dy ⋆ᵀ w (+ residual)).
GraphDescription fused_gradient_graph(const Geometry& geometry, Type type, ProductPrecision products,
                                      const Epilogue& epilogue);

}  // namespace blindspot::cuda
