// Every way in which the CUDA device computes convolutions and attention, against the rows of the operation test: with
// the libraries' fused graphs, with kernels after a plain convolution, with the kernel for 1×1 taps, and with attention
// by kernels in every precision.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/cuda/cuda_device.h"
#include "tests/cuda_on_host/reference_libraries.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

/// What test_operations.cpp allows in each precision.
double tolerance(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return 2e-6;
    case Precision::tf32:
      return 2e-3;
    case Precision::bf16:
      return 8e-3;
    default:
      return 1e-3;
  }
}

void check_rows(const std::vector<OperationCase>& cases, const std::string& prefix, Device& device) {
  for (const OperationCase& operation : cases) {
    if (!operation.name.starts_with(prefix)) continue;
    const std::vector<Values> inputs = rounded_inputs(operation, device);
    const std::vector<Values> got = run_case(operation, inputs, device);
    const std::vector<Values> expected = operation.reference(inputs);
    for (std::size_t k = 0; k < got.size(); ++k) {
      double largest = 0;
      double difference = 0;
      for (std::size_t i = 0; i < got[k].size(); ++i) {
        const double apart = std::abs(got[k][i] - expected[k][i]);
        largest = std::max(largest, std::abs(expected[k][i]));
        difference = std::isnan(apart) ? std::numeric_limits<double>::infinity() : std::max(difference, apart);
      }
      CHECK_MESSAGE(difference <= tolerance(device.precision()) * largest, operation.name, ", output ", k, ": off by ",
                    difference, " where values reach ", largest);
    }
  }
}

constexpr Precision precisions[] = {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};

TEST_CASE("convolutions without fused graphs") {
  for (const Precision precision : precisions) {
    CAPTURE(to_string(precision));
    const auto libraries = std::make_shared<ReferenceLibraries>(ReferenceOptions{.fused_convolutions = false});
    const auto device = cuda::make_device({precision, 0}, libraries);
    check_rows(convolution_cases(), "convolution", *device);
    CHECK(libraries->counters().fused_convolutions == 0);
    CHECK(libraries->counters().plain_convolutions > 0);
  }
}

TEST_CASE("every way of a convolution: by the library, fused or not, as a gradient or turned, and by the kernel") {
  // Forward: plain, fused, with the bias first where something is added, and of 1×1 taps the kernel. Backward: plain,
  // fused where the kernel is not, turned, turned and fused, and the kernel. Exact products have neither the kernel nor
  // the fused gradient.
  constexpr std::size_t most_ways = 4;
  for (const Precision precision : precisions) {
    for (std::size_t way = 0; way < most_ways; ++way) {
      CAPTURE(to_string(precision));
      CAPTURE(way);
      const auto libraries = std::make_shared<ReferenceLibraries>(ReferenceOptions{.way = way});
      const auto device = cuda::make_device({precision, 0}, libraries);
      check_rows(convolution_cases(), "convolution", *device);
      const ReferenceCounters& counters = libraries->counters();
      const bool exact = precision == Precision::fp32;
      CHECK((counters.ways[way] > 0) == (way < most_ways - 1 || !exact));
      CHECK(counters.convolution_gradients > 0);  // of strides above 1 there is no other
      CHECK(counters.plain_convolutions > 0);
      CHECK((counters.fused_gradients > 0) == (way % 2 == 1 && !exact));  // of a stride's two ways the second
    }
  }
}

TEST_CASE("a convolution with a ReLU wants its mask") {
  const auto device = cuda::make_device({Precision::bf16, 0}, std::make_shared<ReferenceLibraries>());
  ConvolutionDescription description{.batch = 1, .height = 2, .width = 2, .in_channels = 8, .out_channels = 8};
  description.relu = description.mask_gradient = true;
  const auto convolution = device->convolution(description, std::vector<float>(64), std::vector<float>(8));
  Array x = device->activation({1, 2, 2, 8});
  Array y = device->activation({1, 2, 2, 8});
  CHECK_THROWS_AS(convolution->forward(x, y, nullptr), Error);
  CHECK_THROWS_AS(convolution->input_gradient(y, x, nullptr), Error);
}

TEST_CASE("attention by kernels where the library has none") {
  for (const Precision precision : precisions) {
    CAPTURE(to_string(precision));
    const auto libraries = std::make_shared<ReferenceLibraries>(ReferenceOptions{.attention = false});
    const auto device = cuda::make_device({precision, 0}, libraries);
    check_rows(transformer_cases(), "attention", *device);
    CHECK(libraries->counters().attentions == 0);
  }
}

TEST_CASE("the libraries are asked for what they do best") {
  for (const Precision precision : precisions) {
    CAPTURE(to_string(precision));
    const auto libraries = std::make_shared<ReferenceLibraries>(ReferenceOptions{.way = 1});
    const auto device = cuda::make_device({precision, 0}, libraries);
    const bool narrow = device->activation_type() != Type::float32;
    ConvolutionDescription description{.batch = 1, .height = 4, .width = 4, .in_channels = 8, .out_channels = 8};
    description.relu = true;
    const std::vector<float> weight(64, 0.5F);
    const std::vector<float> bias(8, 0.5F);
    const auto convolution = device->convolution(description, weight, bias);
    Array x = device->activation({1, 4, 4, 8});
    device->fill_zero(x);
    Array y = device->activation({1, 4, 4, 8});
    Array mask = device->array(Type::mask, y.shape());
    convolution->forward(x, y, &mask);
    convolution->input_gradient(y, x, nullptr);
    // The gradient is a convolution with turned weights.
    CHECK(libraries->counters().fused_convolutions == 1);
    CHECK(libraries->counters().convolution_gradients == 0);
    CHECK(libraries->counters().plain_convolutions == 1);
    const auto attention = device->attention({.batch = 1, .tokens = 5, .heads = 2, .head_width = 8});
    Array qkv = device->activation({1, 5, 3, 2, 8});
    device->fill_zero(qkv);
    Array out = device->activation({1, 5, 2, 8});
    Array sums = device->array(Type::float32, {1, 2, 5});
    attention->forward(qkv, out, sums);
    attention->input_gradient(qkv, out, sums, out, qkv);
    CHECK(libraries->counters().attentions == (narrow ? 1 : 0));
    CHECK(libraries->counters().attention_gradients == (narrow ? 1 : 0));
  }
}

}  // namespace
}  // namespace blindspot::tests
