// What prepared operations are said to cost at the least, against counts by hand.
#include "engine/prepared_work.h"

#include <doctest/doctest.h>

namespace blindspot::tests {
namespace {

TEST_CASE("a convolution moves its arrays, its weights, what it adds and its masks once") {
  ConvolutionDescription plain;
  plain.batch = 2;
  plain.height = plain.width = 8;
  plain.in_channels = 3;
  plain.out_channels = 16;
  plain.kernel_height = plain.kernel_width = 3;
  plain.stride = 2;
  plain.pad_top = plain.pad_left = plain.pad_bottom = plain.pad_right = 1;
  const double input = 2 * 8 * 8 * 3;
  const double output = 2 * 4 * 4 * 16;
  const double weight = 16 * 3 * 3 * 3;
  for (const OperationWork& pass : work_of(plain, Type::float32)) {
    CHECK(pass.operations == 2 * weight * 2 * 4 * 4);
    CHECK(pass.bytes == 4 * (input + output + weight));
  }
  ConvolutionDescription whole = plain;
  whole.accumulate = whole.relu = whole.accumulate_gradient = whole.mask_gradient = true;
  const auto [forward, gradient] = work_of(whole, Type::bfloat16);
  CHECK(forward.bytes == 2 * (input + 2 * output + weight) + output / 8);
  CHECK(gradient.bytes == 2 * (2 * input + output + weight) + input / 8);
}

TEST_CASE("a linear layer's arrays have types of their own") {
  const auto [forward, gradient] = work_of({.rows = 7,
                                            .in_features = 5,
                                            .out_features = 3,
                                            .input = Type::float16,
                                            .output = Type::float32,
                                            .accumulate = true,
                                            .accumulate_gradient = false},
                                           Type::float16);
  CHECK(forward.operations == 2 * 7 * 5 * 3);
  CHECK(gradient.operations == 2 * 7 * 5 * 3);
  CHECK(forward.bytes == 2 * 7 * 5 + 2 * 4 * 7 * 3 + 2 * 5 * 3);
  CHECK(gradient.bytes == 2 * 7 * 5 + 4 * 7 * 3 + 2 * 5 * 3);
  const auto float32 = work_of({.rows = 7, .in_features = 5, .out_features = 3}, Type::float16);
  CHECK(float32[0].bytes == 4 * (7 * 5 + 7 * 3 + 5 * 3));
}

TEST_CASE("attention makes two products forward and five backward, and keeps no scores") {
  const auto [forward, gradient] = work_of({.batch = 2, .tokens = 11, .heads = 3, .head_width = 4}, Type::bfloat16);
  const double part = 2 * 11 * 3 * 4;
  CHECK(forward.operations == 2 * 2 * part * 11);
  CHECK(gradient.operations == 5 * 2 * part * 11);
  CHECK(forward.bytes == 2 * 4 * part + 4 * 2 * 3 * 11);
  CHECK(gradient.bytes == 2 * 8 * part + 4 * 2 * 3 * 11);
}

}  // namespace
}  // namespace blindspot::tests
