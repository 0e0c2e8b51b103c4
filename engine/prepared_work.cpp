// Implementation of prepared_work.h.
#include "engine/prepared_work.h"

namespace blindspot {

namespace {

double bytes_of(std::int64_t count, Type type) {
  return static_cast<double>(count) * static_cast<double>(element_bytes(type));
}

double mask_bytes_of(std::int64_t count) {
  return static_cast<double>(count) / 8;
}

}  // namespace

std::array<OperationWork, 2> work_of(const ConvolutionDescription& description, Type activation) {
  const ConvolutionDescription& d = description;
  const std::int64_t input = d.batch * d.height * d.width * d.in_channels;
  const std::int64_t output_pixels = d.batch * d.out_height() * d.out_width();
  const std::int64_t output = output_pixels * d.out_channels;
  const std::int64_t weight = d.out_channels * d.kernel_height * d.kernel_width * d.in_channels;
  const double operations = 2.0 * static_cast<double>(weight) * static_cast<double>(output_pixels);
  const double both_need = bytes_of(input + output + weight, activation);
  OperationWork forward{operations, both_need};
  if (d.accumulate) forward.bytes += bytes_of(output, activation);
  if (d.relu) forward.bytes += mask_bytes_of(output);
  OperationWork gradient{operations, both_need};
  if (d.accumulate_gradient) gradient.bytes += bytes_of(input, activation);
  if (d.mask_gradient) gradient.bytes += mask_bytes_of(input);
  return {forward, gradient};
}

std::array<OperationWork, 2> work_of(const LinearDescription& description, Type activation) {
  const LinearDescription& d = description;
  const bool float32_throughout = d.input == Type::float32 && d.output == Type::float32;
  const double input = bytes_of(d.rows * d.in_features, d.input);
  const double output = bytes_of(d.rows * d.out_features, d.output);
  const double weight = bytes_of(d.in_features * d.out_features, float32_throughout ? Type::float32 : activation);
  const double operations = 2.0 * static_cast<double>(d.rows * d.in_features) * static_cast<double>(d.out_features);
  return {OperationWork{operations, input + output + weight + (d.accumulate ? output : 0)},
          OperationWork{operations, input + output + weight + (d.accumulate_gradient ? input : 0)}};
}

/// Forward two products of [T, T, W] a head; the gradient five, one of them to have the scores again.
std::array<OperationWork, 2> work_of(const AttentionDescription& description, Type activation) {
  const AttentionDescription& d = description;
  const std::int64_t values = d.batch * d.tokens * d.heads * d.head_width;
  const double product = 2.0 * static_cast<double>(values) * static_cast<double>(d.tokens);
  const double part = bytes_of(values, activation);
  const double log_sum_exp = bytes_of(d.batch * d.heads * d.tokens, Type::float32);
  return {OperationWork{2 * product, 4 * part + log_sum_exp},   // Q, K, V to O
          OperationWork{5 * product, 8 * part + log_sum_exp}};  // these and dO to dQ, dK, dV
}

}  // namespace blindspot
