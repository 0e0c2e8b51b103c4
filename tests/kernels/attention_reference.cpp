// Implementation of attention_reference.h.
#include "tests/kernels/attention_reference.h"

#include <algorithm>
#include <cmath>

namespace blindspot::kernels {

namespace {

using Values = std::vector<double>;

/// One head's softmax(Q Kᵀ / √W) V and its gradient, straight from the formulas.
void reference_head(const AttentionShape& s, std::int64_t image, int head, const Values& qkv, const Values& dout,
                    AttentionResults& results) {
  const auto at = [&](int token, int part, int column) {
    return attention_place(s, 3, image, token, part, head, column);
  };
  const auto out_at = [&](int token, int column) { return attention_place(s, 1, image, token, 0, head, column); };
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_width));
  Values probabilities(static_cast<std::size_t>(s.tokens));
  Values dprobabilities(probabilities.size());
  for (int query = 0; query < s.tokens; ++query) {
    for (int key = 0; key < s.tokens; ++key) {
      double score = 0;
      double dprobability = 0;
      for (int c = 0; c < s.head_width; ++c) {
        score += qkv[at(query, 0, c)] * qkv[at(key, 1, c)];
        dprobability += dout[out_at(query, c)] * qkv[at(key, 2, c)];
      }
      probabilities[static_cast<std::size_t>(key)] = score * scale;
      dprobabilities[static_cast<std::size_t>(key)] = dprobability;
    }
    const double largest = *std::max_element(probabilities.begin(), probabilities.end());
    double sum = 0;
    for (const double score : probabilities) sum += std::exp(score - largest);
    const double log_sum_exp = largest + std::log(sum);
    results.log_sum_exp[static_cast<std::size_t>((image * s.heads + head) * s.tokens + query)] = log_sum_exp;
    double product = 0;
    for (std::size_t key = 0; key < probabilities.size(); ++key) {
      probabilities[key] = std::exp(probabilities[key] - log_sum_exp);
      product += probabilities[key] * dprobabilities[key];
    }
    for (int key = 0; key < s.tokens; ++key) {
      const double probability = probabilities[static_cast<std::size_t>(key)];
      const double dscore = probability * (dprobabilities[static_cast<std::size_t>(key)] - product) * scale;
      for (int c = 0; c < s.head_width; ++c) {
        results.out[out_at(query, c)] += probability * qkv[at(key, 2, c)];
        results.dqkv[at(query, 0, c)] += dscore * qkv[at(key, 1, c)];
        results.dqkv[at(key, 1, c)] += dscore * qkv[at(query, 0, c)];
        results.dqkv[at(key, 2, c)] += probability * dout[out_at(query, c)];
      }
    }
  }
}

}  // namespace

std::size_t attention_place(const AttentionShape& s, int parts, std::int64_t image, int token, int part, int head,
                            int column) {
  return static_cast<std::size_t>((((image * s.tokens + token) * parts + part) * s.heads + head) * s.head_width +
                                  column);
}

AttentionResults attention_reference(const AttentionShape& shape, const Values& qkv, const Values& dout) {
  const AttentionSizes sizes(shape);
  AttentionResults results{Values(sizes.out), Values(sizes.rows), Values(sizes.qkv())};
  for (std::int64_t image = 0; image < shape.batch; ++image) {
    for (int head = 0; head < shape.heads; ++head) reference_head(shape, image, head, qkv, dout, results);
  }
  return results;
}

}  // namespace blindspot::kernels
