// The operations once more, in double and in the plainest loops that say what device.h says. Uses engine/device.h for
// its descriptions alone.
#pragma once

#include <functional>

#include "tests/operations/operation_case.h"

namespace blindspot::tests::reference {

/// dx of Σ dy·f(x) by central differences.
Values gradient_by_differences(const std::function<Values(const Values&)>& f, Values x, const Values& dy);

/// x ⋆ w + b.
Values convolution(const ConvolutionDescription& description, const Values& x, const Values& weight,
                   const Values& bias);
/// dy ⋆ᵀ w.
Values convolution_gradient(const ConvolutionDescription& description, const Values& dy, const Values& weight);
/// x [rows, in] times the transposed weight [out, in], plus bias.
Values linear(const Values& x, const Values& weight, const Values& bias);
/// dy [rows, out] times the weight [out, in].
Values linear_gradient(const Values& dy, const Values& weight, std::int64_t in, std::int64_t out);
struct AttentionResult {
  Values out, log_sum_exp;
};
AttentionResult attention(const AttentionDescription& description, const Values& qkv);

Values network_input(const Values& images, const Shape& shape, const Values& mean, const Values& deviation,
                     std::int64_t block, const Shape& input);
Values image_gradient(const Values& dy, const Shape& input, const Values& deviation, std::int64_t block,
                      const Shape& shape);

struct MaxPool {
  Values y;
  std::vector<std::size_t> winner;  ///< the element of x behind each element of y
};
MaxPool max_pool(const Values& x, const Shape& in, const PoolDescription& pool, const Shape& out);
Values average_pool(const Values& x, const Shape& in, const Shape& out);
Values subsample_shortcut(const Values& x, const Shape& in, const Shape& out);
/// Transposes a linear map given as code: column i is f(unit vector i). For small sizes.
Values transposed(const std::function<Values(const Values&)>& f, std::size_t in, const Values& dy);

Values layer_norm(const Values& x, const Values& scale, const Values& shift, double epsilon);
Values gelu(const Values& x);
Values gelu_derivative(const Values& x);

struct Seed {
  Values seed, inverse_scale;
};
Seed cross_entropy_seed(const Values& logits, const Values& classes);
Values probability(const Values& logits, const Values& classes);

}  // namespace blindspot::tests::reference
