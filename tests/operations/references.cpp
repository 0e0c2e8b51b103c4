// The references of references.h.
#include "tests/operations/references.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace blindspot::tests::reference {
namespace {

using Index = std::int64_t;

/// Row-major position in [.., b, c, d].
std::size_t at(Index a, Index b, Index b_size, Index c, Index c_size, Index d, Index d_size) {
  return static_cast<std::size_t>(((a * b_size + b) * c_size + c) * d_size + d);
}

std::size_t position(Index value) {
  return static_cast<std::size_t>(value);
}

/// Calls body(x element, y element, weight element) for every product of a convolution.
template <class Body>
void over_products(const ConvolutionDescription& d, const Body& body) {
  for (Index n = 0; n < d.batch; ++n)
    for (Index row = 0; row < d.out_height(); ++row)
      for (Index column = 0; column < d.out_width(); ++column)
        for (Index kr = 0; kr < d.kernel_height; ++kr)
          for (Index kc = 0; kc < d.kernel_width; ++kc) {
            const Index y = row * d.stride + kr - d.pad_top;
            const Index x = column * d.stride + kc - d.pad_left;
            if (y < 0 || y >= d.height || x < 0 || x >= d.width) continue;
            for (Index k = 0; k < d.out_channels; ++k)
              for (Index c = 0; c < d.in_channels; ++c)
                body(at(n, y, d.height, x, d.width, c, d.in_channels),
                     at(n, row, d.out_height(), column, d.out_width(), k, d.out_channels),
                     at(k, kr, d.kernel_height, kc, d.kernel_width, c, d.in_channels));
          }
}

}  // namespace

Values gradient_by_differences(const std::function<Values(const Values&)>& f, Values x, const Values& dy) {
  constexpr double step = 1e-4;
  Values dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    x[i] = kept + step;
    const Values above = f(x);
    x[i] = kept - step;
    const Values below = f(x);
    x[i] = kept;
    for (std::size_t k = 0; k < dy.size(); ++k) dx[i] += dy[k] * (above[k] - below[k]) / (2 * step);
  }
  return dx;
}

Values convolution(const ConvolutionDescription& d, const Values& x, const Values& weight, const Values& bias) {
  Values y(position(d.batch * d.out_height() * d.out_width() * d.out_channels));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias[i % bias.size()];
  over_products(d, [&](std::size_t ix, std::size_t iy, std::size_t iw) { y[iy] += x[ix] * weight[iw]; });
  return y;
}

Values convolution_gradient(const ConvolutionDescription& d, const Values& dy, const Values& weight) {
  Values dx(position(d.batch * d.height * d.width * d.in_channels));
  over_products(d, [&](std::size_t ix, std::size_t iy, std::size_t iw) { dx[ix] += dy[iy] * weight[iw]; });
  return dx;
}

Values linear(const Values& x, const Values& weight, const Values& bias) {
  const std::size_t out = bias.size(), in = weight.size() / out;
  Values y(x.size() / in * out);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = bias[i % out];
    for (std::size_t k = 0; k < in; ++k) y[i] += x[i / out * in + k] * weight[i % out * in + k];
  }
  return y;
}

Values linear_gradient(const Values& dy, const Values& weight, std::int64_t in, std::int64_t out) {
  const std::size_t ins = position(in), outs = position(out);
  Values dx(dy.size() / outs * ins);
  for (std::size_t i = 0; i < dx.size(); ++i) {
    for (std::size_t k = 0; k < outs; ++k) dx[i] += dy[i / ins * outs + k] * weight[k * ins + i % ins];
  }
  return dx;
}

AttentionResult attention(const AttentionDescription& d, const Values& qkv) {
  AttentionResult result;
  const Index width = d.heads * d.head_width;
  result.out.resize(position(d.batch * d.tokens * width));
  const auto entry = [&](Index n, Index token, Index part, Index head, Index i) {
    return qkv[position(((n * d.tokens + token) * 3 + part) * width + head * d.head_width + i)];
  };
  for (Index n = 0; n < d.batch; ++n)
    for (Index head = 0; head < d.heads; ++head)
      for (Index query = 0; query < d.tokens; ++query) {
        Values weights(position(d.tokens));
        double sum = 0;
        for (Index key = 0; key < d.tokens; ++key) {
          double product = 0;
          for (Index i = 0; i < d.head_width; ++i) product += entry(n, query, 0, head, i) * entry(n, key, 1, head, i);
          weights[position(key)] = std::exp(product / std::sqrt(static_cast<double>(d.head_width)));
          sum += weights[position(key)];
        }
        result.log_sum_exp.push_back(std::log(sum));
        for (Index key = 0; key < d.tokens; ++key)
          for (Index i = 0; i < d.head_width; ++i)
            result.out[position((n * d.tokens + query) * width + head * d.head_width + i)] +=
                weights[position(key)] / sum * entry(n, key, 2, head, i);
      }
  return result;
}

Values network_input(const Values& images, const Shape& shape, const Values& mean, const Values& deviation,
                     std::int64_t block, const Shape& input) {
  Values y(position(input.count()));
  for (Index n = 0; n < shape[0]; ++n)
    for (Index c = 0; c < 3; ++c)
      for (Index row = 0; row < shape[2]; ++row)
        for (Index column = 0; column < shape[3]; ++column) {
          const Index channel = (row % block * block + column % block) * 3 + c;
          y[at(n, row / block, input[1], column / block, input[2], channel, input[3])] =
              (images[at(n, c, 3, row, shape[2], column, shape[3])] - mean[position(c)]) / deviation[position(c)];
        }
  return y;
}

Values image_gradient(const Values& dy, const Shape& input, const Values& deviation, std::int64_t block,
                      const Shape& shape) {
  Values dimages(position(shape.count()));
  for (Index n = 0; n < shape[0]; ++n)
    for (Index c = 0; c < 3; ++c)
      for (Index row = 0; row < shape[2]; ++row)
        for (Index column = 0; column < shape[3]; ++column) {
          const Index channel = (row % block * block + column % block) * 3 + c;
          dimages[at(n, c, 3, row, shape[2], column, shape[3])] =
              dy[at(n, row / block, input[1], column / block, input[2], channel, input[3])] / deviation[position(c)];
        }
  return dimages;
}

MaxPool max_pool(const Values& x, const Shape& in, const PoolDescription& pool, const Shape& out) {
  MaxPool result;
  for (Index n = 0; n < out[0]; ++n)
    for (Index row = 0; row < out[1]; ++row)
      for (Index column = 0; column < out[2]; ++column)
        for (Index c = 0; c < out[3]; ++c) {
          double best = -std::numeric_limits<double>::infinity();
          std::size_t winner = 0;
          for (Index kr = 0; kr < pool.kernel; ++kr)
            for (Index kc = 0; kc < pool.kernel; ++kc) {
              const Index y = row * pool.stride - pool.padding + kr;
              const Index z = column * pool.stride - pool.padding + kc;
              if (y < 0 || y >= in[1] || z < 0 || z >= in[2]) continue;
              const std::size_t candidate = at(n, y, in[1], z, in[2], c, in[3]);
              if (x[candidate] > best) {
                best = x[candidate];
                winner = candidate;
              }
            }
          result.y.push_back(best);
          result.winner.push_back(winner);
        }
  return result;
}

Values average_pool(const Values& x, const Shape& in, const Shape& out) {
  Values y;
  for (Index n = 0; n < out[0]; ++n)
    for (Index row = 0; row < out[1]; ++row)
      for (Index column = 0; column < out[2]; ++column)
        for (Index c = 0; c < out[3]; ++c) {
          double sum = 0;
          Index size = 0;
          for (Index r = row * in[1] / out[1]; r * out[1] < (row + 1) * in[1]; ++r)
            for (Index k = column * in[2] / out[2]; k * out[2] < (column + 1) * in[2]; ++k, ++size)
              sum += x[at(n, r, in[1], k, in[2], c, in[3])];
          y.push_back(sum / static_cast<double>(size));
        }
  return y;
}

Values subsample_shortcut(const Values& x, const Shape& in, const Shape& out) {
  Values y(position(out.count()));
  for (Index n = 0; n < out[0]; ++n)
    for (Index row = 0; row < out[1]; ++row)
      for (Index column = 0; column < out[2]; ++column)
        for (Index c = 0; c < in[3]; ++c)
          y[at(n, row, out[1], column, out[2], c + (out[3] - in[3]) / 2, out[3])] =
              x[at(n, 2 * row, in[1], 2 * column, in[2], c, in[3])];
  return y;
}

Values transposed(const std::function<Values(const Values&)>& f, std::size_t in, const Values& dy) {
  Values unit(in), dx(in);
  for (std::size_t i = 0; i < in; ++i) {
    unit[i] = 1;
    const Values column = f(unit);
    unit[i] = 0;
    for (std::size_t k = 0; k < dy.size(); ++k) dx[i] += column[k] * dy[k];
  }
  return dx;
}

Values layer_norm(const Values& x, const Values& scale, const Values& shift, double epsilon) {
  const std::size_t width = scale.size();
  Values y(x.size());
  for (std::size_t row = 0; row < x.size(); row += width) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < width; ++i) mean += x[row + i] / static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) variance += std::pow(x[row + i] - mean, 2) / static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) {
      y[row + i] = scale[i] * (x[row + i] - mean) / std::sqrt(variance + epsilon) + shift[i];
    }
  }
  return y;
}

Values gelu(const Values& x) {
  Values y;
  for (const double value : x) y.push_back(value * std::erfc(-value / std::sqrt(2.0)) / 2);
  return y;
}

Values gelu_derivative(const Values& x) {
  Values y;
  for (const double value : x) {
    const double density = std::exp(-value * value / 2) / std::sqrt(2 * std::acos(-1.0));
    y.push_back(std::erfc(-value / std::sqrt(2.0)) / 2 + value * density);
  }
  return y;
}

Seed cross_entropy_seed(const Values& logits, const Values& classes) {
  // long double reaches exp(−11000), far enough for every case here.
  Seed result;
  const std::size_t count = logits.size() / classes.size();
  for (std::size_t n = 0; n < classes.size(); ++n) {
    const std::size_t own = n * count + position(static_cast<Index>(classes[n]));
    long double total = 0, others = 0;
    for (std::size_t k = n * count; k < (n + 1) * count; ++k) {
      const long double weight = std::exp(static_cast<long double>(logits[k] - logits[own]));
      total += weight;
      if (k != own) others += weight;
    }
    int exponent = 0;
    // As float32 the largest entry must stay below 1.
    if (static_cast<float>(std::frexp(others / total, &exponent)) >= 1) ++exponent;
    for (std::size_t k = n * count; k < (n + 1) * count; ++k) {
      const long double weight = std::exp(static_cast<long double>(logits[k] - logits[own]));
      const long double entry = k == own ? -others : weight;
      result.seed.push_back(static_cast<double>(std::ldexp(entry / total, -exponent)));
    }
    result.inverse_scale.push_back(std::ldexp(1.0, exponent));
  }
  return result;
}

Values probability(const Values& logits, const Values& classes) {
  Values result;
  const std::size_t count = logits.size() / classes.size();
  for (std::size_t n = 0; n < classes.size(); ++n) {
    const double own = logits[n * count + position(static_cast<Index>(classes[n]))];
    double total = 0;
    for (std::size_t k = n * count; k < (n + 1) * count; ++k) total += std::exp(logits[k] - own);
    result.push_back(1 / total);
  }
  return result;
}

}  // namespace blindspot::tests::reference
