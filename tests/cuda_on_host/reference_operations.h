// The operations of graph descriptions in double precision, for the reference interpreter. May use reference_tensor.h
// and reference_product.h.
#pragma once

#include <array>
#include <vector>

#include "reference_tensor.h"

namespace blindspot::tests {

/// Throws Error(fault) unless the operation's tensors fit each other.
void check_operation(const cuda::GraphDescription& graph, const cuda::OperationDescription& operation);

/// x [N, H, W, C], filter [K, R, S, C] → y [N, H', W', K] of the sizes given.
Values convolution(const Values& x, const Values& filter, const cuda::OperationDescription& operation,
                   const std::vector<std::int64_t>& sizes);
/// dy [N, H', W', K], filter [K, R, S, C] → dx [N, H, W, C] of the sizes given.
Values convolution_gradient(const Values& dy, const Values& filter, const cuda::OperationDescription& operation,
                            const std::vector<std::int64_t>& sizes);
/// b's sizes of 1 are repeated.
Values sum(const Values& a, const Values& b);
Values relu(const Values& x);
/// x where bits is not 0, else 0.
Values masked(const Values& x, const Values& bits);

/// q, k, v [N, heads, T, width] → o and log_sum_exp [N, heads, T, 1].
std::array<Values, 2> attention(const std::array<const Values*, 3>& qkv, double scale);
/// q, k, v, o, do, log_sum_exp → dq, dk, dv.
std::array<Values, 3> attention_gradient(const std::array<const Values*, 6>& inputs, double scale);

}  // namespace blindspot::tests
