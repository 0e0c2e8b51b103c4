// Rows of the operation test for convolutions: strides, kernels, paddings, and what they add, rectify and mask. Uses
// operation_case.h and references.h.
#include <fmt/format.h>

#include "tests/operations/references.h"

namespace blindspot::tests {
namespace {

Field given(const Shape& shape, std::uint64_t seed) {
  return {Kind::activation, shape, true, random_values(shape, seed)};
}

Values rectified(Values values) {
  for (double& value : values) value = value > 0 ? value : 0;
  return values;
}

/// Outputs: y; the unrectified sum through the mask that was stored (a bit that rounding near zero flips does no harm);
/// dx.
void run_convolution(const ConvolutionDescription& description, Call& call) {
  Device& device = call.device;
  const auto prepared = device.convolution(description, call.values[1], call.values[2]);
  ConvolutionDescription plain_description = description;
  plain_description.relu = false;
  const auto plain = device.convolution(plain_description, call.values[1], call.values[2]);

  Array mask = device.array(Type::mask, call.out[0].shape());
  device.copy(call.in[3], call.out[0]);
  prepared->forward(call.in[0], call.out[0], description.relu ? &mask : nullptr);
  device.copy(call.in[3], call.out[1]);
  plain->forward(call.in[0], call.out[1], nullptr);
  if (description.relu) device.relu_gradient(call.out[1], mask);

  Array gradient_mask = device.array(Type::mask, call.out[2].shape());
  device.relu(call.in[6], gradient_mask);
  device.copy(call.in[5], call.out[2]);
  prepared->input_gradient(call.in[4], call.out[2], description.mask_gradient ? &gradient_mask : nullptr);
}

std::vector<Values> expected(const ConvolutionDescription& description, const std::vector<Values>& in) {
  Values y = reference::convolution(description, in[0], in[1], in[2]);
  Values dx = reference::convolution_gradient(description, in[4], in[1]);
  for (std::size_t i = 0; description.accumulate && i < y.size(); ++i) y[i] += in[3][i];
  for (std::size_t i = 0; i < dx.size(); ++i) {
    if (description.accumulate_gradient) dx[i] += in[5][i];
    if (description.mask_gradient && in[6][i] <= 0) dx[i] = 0;
  }
  if (description.relu) y = rectified(y);
  return {y, y, dx};
}

void add_convolution(std::vector<OperationCase>& cases, const ConvolutionDescription& d) {
  const Shape x = {d.batch, d.height, d.width, d.in_channels};
  const Shape y = {d.batch, d.out_height(), d.out_width(), d.out_channels};
  const Shape weight = {d.out_channels, d.kernel_height, d.kernel_width, d.in_channels};
  const double spread = 2 / static_cast<double>(d.kernel_height + d.in_channels);
  cases.push_back({fmt::format("convolution {} to {} kernel {}x{} stride {} accumulate {} {} relu {} mask {}", x.text(),
                               y.text(), d.kernel_height, d.kernel_width, d.stride, d.accumulate, d.accumulate_gradient,
                               d.relu, d.mask_gradient),
                   {given(x, 101),
                    {Kind::weight, weight, false, random_values(weight, 102, -spread, spread)},
                    {Kind::number, {d.out_channels}, false, random_values({d.out_channels}, 103)},
                    given(y, 104),
                    given(y, 105),
                    given(x, 106),
                    given(x, 107)},
                   {{Kind::activation, y}, {Kind::activation, y}, {Kind::activation, x}},
                   [d](Call& call) { run_convolution(d, call); },
                   [d](const auto& in) { return expected(d, in); }});
}

ConvolutionDescription square(const Shape& x, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                              std::int64_t padding) {
  ConvolutionDescription d;
  d.batch = x[0];
  d.height = x[1];
  d.width = x[2];
  d.in_channels = x[3];
  d.out_channels = out;
  d.kernel_height = d.kernel_width = kernel;
  d.stride = stride;
  d.pad_top = d.pad_left = d.pad_bottom = d.pad_right = padding;
  return d;
}

void add_combinations(std::vector<OperationCase>& cases, ConvolutionDescription d) {
  for (int combination = 0; combination < 16; ++combination) {
    d.accumulate = (combination & 1) != 0;
    d.relu = (combination & 2) != 0;
    d.accumulate_gradient = (combination & 4) != 0;
    d.mask_gradient = (combination & 8) != 0;
    add_convolution(cases, d);
  }
}

}  // namespace

std::vector<OperationCase> convolution_cases() {
  std::vector<OperationCase> cases;
  add_combinations(cases, square({2, 5, 7, 13}, 5, 3, 1, 1));
  add_combinations(cases, square({1, 4, 4, 64}, 64, 1, 1, 0));
  add_combinations(cases, square({2, 12, 11, 72}, 96, 1, 1, 0));
  add_combinations(cases, square({1, 11, 13, 256}, 128, 1, 1, 0));
  add_combinations(cases, square({7, 5, 5, 16}, 32, 3, 2, 1));
  for (const bool relu : {false, true}) {
    for (ConvolutionDescription d :
         {square({1, 1, 1, 1}, 1, 1, 1, 0), square({7, 1, 1, 3}, 5, 3, 1, 1), square({1, 9, 8, 5}, 13, 1, 2, 0),
          square({2, 8, 6, 12}, 16, 4, 1, 2), square({1, 15, 13, 3}, 8, 7, 2, 3), square({2, 23, 19, 3}, 5, 11, 4, 2),
          square({1, 16, 12, 3}, 24, 4, 4, 0), square({3, 6, 6, 64}, 3, 3, 2, 1)}) {
      d.relu = d.mask_gradient = relu;
      add_convolution(cases, d);
    }
  }
  ConvolutionDescription uneven = square({2, 7, 9, 12}, 13, 4, 1, 0);  // the stem as space-to-depth
  uneven.pad_top = uneven.pad_left = 2;
  uneven.pad_bottom = uneven.pad_right = 1;
  add_convolution(cases, uneven);
  uneven.relu = uneven.mask_gradient = uneven.accumulate_gradient = true;
  add_convolution(cases, uneven);
  ConvolutionDescription oblong = square({1, 6, 8, 5}, 3, 3, 1, 0);
  oblong.kernel_width = 1;
  oblong.pad_top = oblong.pad_bottom = 1;
  add_convolution(cases, oblong);
  return cases;
}

}  // namespace blindspot::tests
