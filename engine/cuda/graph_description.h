// What cuDNN is asked to compute, as plain values: tensors with their dimensions, strides and types, and the operations
// between them. Written by convolution.cpp and attention.cpp; read by cuDNN's translation, by the test that asks cuDNN
// what it supports, and by the reference interpreter of the tests. May use device.h only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device.h"

namespace blindspot::cuda {

/// One tensor of a graph. Dimensions are in cuDNN's order whatever the layout, [N, C, H, W] for images, [K, C, kh, kw]
/// for filters, [N, heads, T, width] for attention; `strides` (in elements) say how it lies. A virtual tensor exists
/// between two operations only and has no memory.
struct TensorDescription {
  std::string name;  ///< "x", "filter": for messages, but for the names below
  std::vector<std::int64_t> dimensions, strides;
  Type type = Type::float32;
  bool is_virtual = false;
};

enum class OperationKind : std::uint8_t {
  convolution_forward,         ///< inputs x, filter; output y
  convolution_input_gradient,  ///< inputs dy, filter; output dx
  add,                         ///< inputs a, b (b may have dimensions of 1, which are repeated); output sum
  relu,                        ///< input x; output max(x, 0)
  mask,                        ///< inputs x, bits (Type::mask); output x where the bit is set, else 0 (NaN too)
  attention_forward,           ///< inputs q, k, v; outputs o, log_sum_exp (float32 [N, heads, T, 1])
  attention_input_gradient,    ///< inputs q, k, v, o, do, log_sum_exp; outputs dq, dk, dv
};

/// What is added of this name lies in the memory of the last operation's output when the plan is used.
inline constexpr std::string_view residual_name = "residual";
/// What is added of this name is one number for each channel.
inline constexpr std::string_view bias_name = "bias";
/// What masks of this name is one bit a value: bit i % 8 of byte i / 8, i counting as the strides do.
inline constexpr std::string_view mask_name = "mask";

/// One operation; numbers are places in GraphDescription::tensors. Computes and accumulates in float32.
struct OperationDescription {
  OperationKind kind = OperationKind::add;
  std::vector<int> inputs, outputs;
  // Convolutions: padding before and after each image axis (rows, columns), and the stride of both.
  std::vector<std::int64_t> pad_before, pad_after, stride;
  // Attention: scores are multiplied by this.
  float score_scale = 1;
};

/// How float32 products may be formed. Lower types always multiply as they are and accumulate in float32.
enum class ProductPrecision : std::uint8_t { exact, tf32 };

struct GraphDescription {
  std::string name;  ///< names operation and shape in messages, plan identities and the plan cache
  std::vector<TensorDescription> tensors;
  std::vector<OperationDescription> operations;  ///< in order of computation
  ProductPrecision products = ProductPrecision::exact;
};

/// Unambiguous text of everything above: the key under which a chosen plan is kept on disk.
std::string text_of(const GraphDescription& graph);

}  // namespace blindspot::cuda
