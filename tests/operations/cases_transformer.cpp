// Rows of the operation test for transformers: layer norm, GELU, tokens, linear, attention. Uses operation_case.h and
// references.h.
#include <fmt/format.h>

#include "tests/operations/references.h"

namespace blindspot::tests {
namespace {

Field given(const Shape& shape, std::uint64_t seed, Kind kind = Kind::activation, double low = -1, double high = 1) {
  return {kind, shape, true, random_values(shape, seed, low, high)};
}

Field shared(const Shape& shape, std::uint64_t seed, Kind kind = Kind::float32) {
  return {kind, shape, false, random_values(shape, seed, -1, 1.5)};
}

Field result(const Shape& shape, Kind kind = Kind::activation) {
  return {kind, shape, true, {}};
}

Values sum(Values left, const Values& right) {
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

Type type_of(Kind kind, const Device& device) {
  return kind == Kind::activation ? device.activation_type() : Type::float32;
}

void add_layer_norm(std::vector<OperationCase>& cases, const Shape& shape, Kind stream, bool accumulate,
                    double offset) {
  const std::int64_t width = shape.last();
  cases.push_back(
      {fmt::format("layer_norm {} stream {} accumulate {} offset {}", shape.text(),
                   stream == Kind::float32 ? "float32" : "activation", accumulate, offset),
       {given(shape, 51, stream, offset - 1, offset + 1), shared({width}, 52), shared({width}, 53), given(shape, 54),
        given(shape, 55, stream)},
       {result(shape), result(shape, stream)},
       [accumulate](Call& call) {
         const Shape& sizes = call.in[0].shape();
         Array normalised = call.device.activation(sizes);
         Array inverse = call.device.array(Type::float32, {sizes.rows()});
         call.device.layer_norm(call.in[0], call.in[1], call.in[2], 1e-3F, call.out[0], normalised, inverse);
         call.device.copy(call.in[4], call.out[1]);
         call.device.layer_norm_gradient(call.in[3], call.in[1], normalised, inverse, call.out[1], accumulate);
       },
       [accumulate](const auto& in) {
         const auto forward = [&](const Values& x) {
           return reference::layer_norm(x, in[1], in[2], static_cast<double>(1e-3F));
         };
         const Values dx = reference::gradient_by_differences(forward, in[0], in[3]);
         return std::vector<Values>{forward(in[0]), accumulate ? sum(dx, in[4]) : dx};
       }});
}

void add_gelu(std::vector<OperationCase>& cases, const Shape& shape, double range) {
  cases.push_back({fmt::format("gelu {} to {}", shape.text(), range),
                   {given(shape, 61, Kind::activation, -range, range), given(shape, 62)},
                   {result(shape), result(shape)},
                   [](Call& call) {
                     call.device.gelu(call.in[0], call.out[0]);
                     call.device.copy(call.in[1], call.out[1]);
                     call.device.gelu_gradient(call.in[0], call.out[1]);
                   },
                   [](const auto& in) {
                     Values dx = reference::gelu_derivative(in[0]);
                     for (std::size_t i = 0; i < dx.size(); ++i) dx[i] *= in[1][i];
                     return std::vector<Values>{reference::gelu(in[0]), dx};
                   }});
}

void add_tokens(std::vector<OperationCase>& cases, std::int64_t batch, std::int64_t patches, std::int64_t width) {
  const Shape patch_shape = {batch, patches, width}, token_shape = {batch, patches + 1, width};
  const auto count = static_cast<std::size_t>(width);
  const auto all = static_cast<std::size_t>((patches + 1) * width);
  cases.push_back({"assemble_tokens " + token_shape.text(),
                   {given(patch_shape, 71), shared({width}, 72), shared({patches + 1, width}, 73),
                    given(token_shape, 74, Kind::float32)},
                   {result(token_shape, Kind::float32), result(patch_shape)},
                   [](Call& call) {
                     call.device.assemble_tokens(call.in[0], call.in[1], call.in[2], call.out[0]);
                     call.device.assemble_tokens_gradient(call.in[3], call.out[1]);
                   },
                   [count, all](const auto& in) {
                     Values tokens(in[3].size()), dpatches;
                     for (std::size_t i = 0; i < tokens.size(); ++i) {
                       const std::size_t inside = i % all;
                       const bool is_class = inside < count;
                       const double patch = is_class ? 0 : in[0][i - (i / all + 1) * count];
                       tokens[i] = (is_class ? in[1][inside] : patch) + in[2][inside];
                       if (!is_class) dpatches.push_back(in[3][i]);
                     }
                     return std::vector<Values>{tokens, dpatches};
                   }});
  cases.push_back({"class_token " + token_shape.text(),
                   {given(token_shape, 75, Kind::float32), given({batch, width}, 76)},
                   {result({batch, width}), result(token_shape, Kind::float32)},
                   [](Call& call) {
                     call.device.class_token(call.in[0], call.out[0]);
                     call.device.class_token_gradient(call.in[1], call.out[1]);
                   },
                   [count, all](const auto& in) {
                     Values y, dtokens(in[0].size());
                     for (std::size_t i = 0; i < dtokens.size(); ++i) {
                       if (i % all >= count) continue;
                       dtokens[i] = in[1][y.size()];
                       y.push_back(in[0][i]);
                     }
                     return std::vector<Values>{y, dtokens};
                   }});
}

/// Rows are [batch, rows each]; float32 sides in a bf16 network as a token stream or logits have them.
void add_linear(std::vector<OperationCase>& cases, const Shape& x, std::int64_t out, Kind output, bool accumulate) {
  const std::int64_t in = x.last();
  const Shape y = {x[0], x[1], out};
  cases.push_back({fmt::format("linear {} to {} output {} accumulate {}", x.text(), out,
                               output == Kind::float32 ? "float32" : "activation", accumulate),
                   {given(x, 81), shared({out, in}, 82, Kind::weight), shared({out}, 83, Kind::number),
                    given(y, 84, output), given(y, 85, output), given(x, 86)},
                   {result(y, output), result(x)},
                   [=](Call& call) {
                     const LinearDescription description = {.rows = x.rows(),
                                                            .in_features = in,
                                                            .out_features = out,
                                                            .input = call.device.activation_type(),
                                                            .output = type_of(output, call.device),
                                                            .accumulate = accumulate,
                                                            .accumulate_gradient = accumulate};
                     const auto linear = call.device.linear(description, call.values[1], call.values[2]);
                     call.device.copy(call.in[3], call.out[0]);
                     linear->forward(call.in[0], call.out[0]);
                     call.device.copy(call.in[5], call.out[1]);
                     linear->input_gradient(call.in[4], call.out[1]);
                   },
                   [=](const auto& values) {
                     const Values forward = reference::linear(values[0], values[1], values[2]);
                     const Values dx = reference::linear_gradient(values[4], values[1], in, out);
                     return std::vector<Values>{accumulate ? sum(forward, values[3]) : forward,
                                                accumulate ? sum(dx, values[5]) : dx};
                   }});
}

void add_attention(std::vector<OperationCase>& cases, const AttentionDescription& attention) {
  const Shape qkv = {attention.batch, attention.tokens, 3, attention.heads, attention.head_width};
  const Shape out = {attention.batch, attention.tokens, attention.heads, attention.head_width};
  const Shape sums = {attention.batch, attention.heads, attention.tokens};
  cases.push_back({"attention " + out.text(),
                   {given(qkv, 91, Kind::activation, -1.5, 1.5), given(out, 92)},
                   {result(out), result(sums, Kind::float32), result(qkv)},
                   [=](Call& call) {
                     const auto prepared = call.device.attention(attention);
                     prepared->forward(call.in[0], call.out[0], call.out[1]);
                     prepared->input_gradient(call.in[0], call.out[0], call.out[1], call.in[1], call.out[2]);
                   },
                   [=](const auto& in) {
                     const auto forward = [&](const Values& x) { return reference::attention(attention, x).out; };
                     const reference::AttentionResult expected = reference::attention(attention, in[0]);
                     return std::vector<Values>{expected.out, expected.log_sum_exp,
                                                reference::gradient_by_differences(forward, in[0], in[1])};
                   }});
}

}  // namespace

std::vector<OperationCase> transformer_cases() {
  std::vector<OperationCase> cases;
  for (const Kind stream : {Kind::float32, Kind::activation}) {
    for (const bool accumulate : {false, true}) {
      add_layer_norm(cases, {1, 1, 3}, stream, accumulate, 0);
      add_layer_norm(cases, {7, 2, 13}, stream, accumulate, 0);
      add_layer_norm(cases, {2, 1, 64}, stream, accumulate, 1);
      add_layer_norm(cases, {1, 2, 200}, stream, accumulate, 0);
    }
  }
  add_gelu(cases, {1, 1}, 1);
  add_gelu(cases, {7, 13}, 3);
  add_gelu(cases, {2, 5, 77}, 8);
  add_tokens(cases, 1, 1, 1);
  add_tokens(cases, 7, 4, 13);
  add_tokens(cases, 2, 3, 64);
  for (const Kind output : {Kind::float32, Kind::activation}) {
    for (const bool accumulate : {false, true}) {
      add_linear(cases, {1, 1, 1}, 1, output, accumulate);
      add_linear(cases, {7, 1, 13}, 10, output, accumulate);
      add_linear(cases, {2, 5, 64}, 5, output, accumulate);
      add_linear(cases, {3, 17, 48}, 100, output, accumulate);
    }
  }
  add_attention(cases, {1, 1, 1, 1});
  add_attention(cases, {2, 5, 3, 8});
  add_attention(cases, {7, 3, 1, 5});
  add_attention(cases, {1, 9, 2, 64});
  add_attention(cases, {2, 17, 2, 13});
  return cases;
}

}  // namespace blindspot::tests
