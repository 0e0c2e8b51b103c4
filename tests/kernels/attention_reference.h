// Attention and its input gradient in double, straight from the formulas of kernels/attention.cuh, whose shapes it
// takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/attention.cuh"

namespace blindspot::kernels {

/// The sizes of one call, in elements.
struct AttentionSizes {
  explicit AttentionSizes(const AttentionShape& s)
      : out(static_cast<std::size_t>(s.batch * s.tokens * s.heads * s.head_width)),
        rows(static_cast<std::size_t>(s.batch * s.heads * s.tokens)) {}
  std::size_t out, rows;
  std::size_t qkv() const { return 3 * out; }
};

/// Place of an element in [N, T, parts, heads, head_width].
std::size_t attention_place(const AttentionShape& s, int parts, std::int64_t image, int token, int part, int head,
                            int column);

/// Sizes as AttentionSizes has them; dqkv as qkv.
struct AttentionResults {
  std::vector<double> out, log_sum_exp, dqkv;
};

AttentionResults attention_reference(const AttentionShape& shape, const std::vector<double>& qkv,
                                     const std::vector<double>& dout);

}  // namespace blindspot::kernels
