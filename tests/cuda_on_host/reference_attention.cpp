// Attention of reference_operations.h, a head at a time; probabilities stay in double precision.
#include <algorithm>
#include <cmath>

#include "reference_operations.h"
#include "reference_product.h"

namespace blindspot::tests {
namespace {

/// One head's [T, width] of a tensor [N, heads, T, width].
MatrixView head_of(const Values& values, std::int64_t head) {
  const std::int64_t tokens = values.sizes[2];
  const std::int64_t width = values.sizes[3];
  return row_major(values.values.data() + head * tokens * width, tokens, width);
}

void set_head(Values& values, std::int64_t head, const std::vector<double>& from) {
  std::copy(from.begin(), from.end(),
            values.values.begin() + static_cast<std::ptrdiff_t>(from.size()) * static_cast<std::ptrdiff_t>(head));
}

Values zeros(std::vector<std::int64_t> sizes) {
  std::size_t count = 1;
  for (const std::int64_t size : sizes) count *= static_cast<std::size_t>(size);
  return {std::move(sizes), std::vector<double>(count, 0.0)};
}

}  // namespace

std::array<Values, 2> attention(const std::array<const Values*, 3>& qkv, double scale) {
  const std::vector<std::int64_t>& sizes = qkv[0]->sizes;
  const std::int64_t tokens = sizes[2];
  Values out = zeros(sizes);
  Values statistics = zeros({sizes[0], sizes[1], tokens, 1});
  for (std::int64_t head = 0; head < sizes[0] * sizes[1]; ++head) {
    std::vector<double> scores = product(head_of(*qkv[0], head), head_of(*qkv[1], head).transposed());
    for (std::int64_t row = 0; row < tokens; ++row) {
      double* const of_row = scores.data() + row * tokens;
      double largest = of_row[0] * scale;
      for (std::int64_t i = 0; i < tokens; ++i) largest = std::max(largest, of_row[i] * scale);
      double total = 0;
      for (std::int64_t i = 0; i < tokens; ++i) total += of_row[i] = std::exp(of_row[i] * scale - largest);
      for (std::int64_t i = 0; i < tokens; ++i) of_row[i] /= total;
      statistics.values[static_cast<std::size_t>(head * tokens + row)] = largest + std::log(total);
    }
    set_head(out, head, product(row_major(scores.data(), tokens, tokens), head_of(*qkv[2], head)));
  }
  return {std::move(out), std::move(statistics)};
}

std::array<Values, 3> attention_gradient(const std::array<const Values*, 6>& inputs, double scale) {
  const auto& [q, k, v, o, dout, statistics] = inputs;
  const std::int64_t tokens = q->sizes[2];
  const std::int64_t width = q->sizes[3];
  std::array<Values, 3> results = {zeros(q->sizes), zeros(q->sizes), zeros(q->sizes)};
  for (std::int64_t head = 0; head < q->sizes[0] * q->sizes[1]; ++head) {
    std::vector<double> probabilities = product(head_of(*q, head), head_of(*k, head).transposed());
    std::vector<double> dscores = product(head_of(*dout, head), head_of(*v, head).transposed());
    for (std::int64_t row = 0; row < tokens; ++row) {
      double together = 0;  // Σ P ⊙ dP = o·do
      for (std::int64_t i = 0; i < width; ++i)
        together += head_of(*o, head).at(row, i) * head_of(*dout, head).at(row, i);
      const double log_sum = statistics->values[static_cast<std::size_t>(head * tokens + row)];
      for (std::int64_t i = row * tokens; i < (row + 1) * tokens; ++i) {
        const auto place = static_cast<std::size_t>(i);
        probabilities[place] = std::exp(probabilities[place] * scale - log_sum);
        dscores[place] = scale * probabilities[place] * (dscores[place] - together);
      }
    }
    const MatrixView of_scores = row_major(dscores.data(), tokens, tokens);
    set_head(results[0], head, product(of_scores, head_of(*k, head)));
    set_head(results[1], head, product(of_scores.transposed(), head_of(*q, head)));
    set_head(results[2], head,
             product(row_major(probabilities.data(), tokens, tokens).transposed(), head_of(*dout, head)));
  }
  return results;
}

}  // namespace blindspot::tests
