// An image's result has the same bits in every slot of a batch, whatever the other slots hold, and again: for every
// prepared operation of the CPU device, in both precisions, at odd and ordinary shapes.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "engine/cpu/cpu_device.h"

namespace {

using blindspot::Array;
using blindspot::Device;
using blindspot::Precision;
using blindspot::Shape;
using blindspot::Type;

constexpr int batch = 5;

std::vector<float> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  // From -1 to 1 by hand: the library's distribution computes a logarithm for each number when clang 14 compiles it.
  for (float& value : values) value = static_cast<float>(generator() >> 8) * 0x1p-23F - 1;
  return values;
}

/// An array whose entry `slot` holds the values of seed 1, and every other entry values of its own.
Array with_image(Device& device, Type type, Shape shape, int slot, unsigned company) {
  std::vector<float> values = random_values(shape.count(), company);
  const auto entry = static_cast<std::size_t>(shape.count() / shape[0]);
  const std::vector<float> image = random_values(static_cast<std::int64_t>(entry), 1);
  std::copy(image.begin(), image.end(), values.begin() + static_cast<std::ptrdiff_t>(entry) * slot);
  Array from = device.array(Type::float32, shape);
  device.upload(values, from);
  Array array = device.array(type, shape);
  device.convert(from, array);
  return array;
}

std::string bits(const Array& array, int slot) {
  const std::size_t entry = array.bytes() / static_cast<std::size_t>(array.shape()[0]);
  return {reinterpret_cast<const char*>(array.data()) + entry * static_cast<std::size_t>(slot), entry};
}

/// `run` computes with the image in a slot and returns the bits of its results.
void check_every_slot(const std::function<std::string(int slot, unsigned company)>& run) {
  const std::string first = run(0, 100);
  CHECK(run(0, 100) == first);
  for (int slot = 0; slot < batch; ++slot) CHECK(run(slot, 200 + static_cast<unsigned>(slot)) == first);
}

struct ConvolutionShape {
  std::int64_t height, width, in_channels, out_channels, kernel, stride;
};

void check_convolution(Device& device, const ConvolutionShape& shape) {
  blindspot::ConvolutionDescription description{.batch = batch,
                                                .height = shape.height,
                                                .width = shape.width,
                                                .in_channels = shape.in_channels,
                                                .out_channels = shape.out_channels};
  description.kernel_height = description.kernel_width = shape.kernel;
  description.stride = shape.stride;
  description.pad_top = description.pad_left = description.pad_bottom = description.pad_right = shape.kernel / 2;
  description.accumulate = description.accumulate_gradient = true;
  const auto weight = random_values(shape.out_channels * shape.kernel * shape.kernel * shape.in_channels, 7);
  const auto bias = random_values(shape.out_channels, 8);
  const auto convolution = device.convolution(description, weight, bias);
  const Shape input{batch, shape.height, shape.width, shape.in_channels};
  const Shape output{batch, description.out_height(), description.out_width(), shape.out_channels};
  check_every_slot([&](int slot, unsigned company) {
    const Type type = device.activation_type();
    const Array x = with_image(device, type, input, slot, company);
    Array y = with_image(device, type, output, slot, company + 1000);
    convolution->forward(x, y, nullptr);
    Array dx = with_image(device, type, input, slot, company + 2000);
    convolution->input_gradient(y, dx, nullptr);
    return bits(y, slot) + bits(dx, slot);
  });
}

void check_linear(Device& device, std::int64_t tokens, std::int64_t in, std::int64_t out, Type output) {
  const Type type = device.activation_type();
  const auto linear = device.linear({.rows = batch * tokens,
                                     .in_features = in,
                                     .out_features = out,
                                     .input = type,
                                     .output = output,
                                     .accumulate = true,
                                     .accumulate_gradient = true},
                                    random_values(in * out, 7), random_values(out, 8));
  check_every_slot([&](int slot, unsigned company) {
    const Array x = with_image(device, type, {batch, tokens, in}, slot, company);
    Array y = with_image(device, output, {batch, tokens, out}, slot, company + 1000);
    linear->forward(x, y);
    Array dx = with_image(device, type, {batch, tokens, in}, slot, company + 2000);
    linear->input_gradient(y, dx);
    return bits(y, slot) + bits(dx, slot);
  });
}

void check_attention(Device& device, std::int64_t tokens, std::int64_t heads, std::int64_t width) {
  const Type type = device.activation_type();
  const auto attention = device.attention({.batch = batch, .tokens = tokens, .heads = heads, .head_width = width});
  check_every_slot([&](int slot, unsigned company) {
    const Array qkv = with_image(device, type, {batch, tokens, 3, heads, width}, slot, company);
    Array out = device.array(type, {batch, tokens, heads, width});
    Array sums = device.array(Type::float32, {batch, heads, tokens});
    attention->forward(qkv, out, sums);
    Array dqkv = device.array(type, qkv.shape());
    attention->input_gradient(qkv, out, sums, out, dqkv);
    return bits(out, slot) + bits(sums, slot) + bits(dqkv, slot);
  });
}

TEST_CASE("every slot of a batch gives the same bits") {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (precision == Precision::bf16 && !blindspot::cpu::supports_bf16()) {
      MESSAGE("skipped: bf16 on a processor without AVX-512");
      continue;
    }
    for (const int threads : {1, 2}) {
      CAPTURE(blindspot::to_string(precision));
      CAPTURE(threads);
      const auto device = blindspot::cpu::make_device({precision, threads});
      for (const ConvolutionShape& shape : {ConvolutionShape{1, 1, 5, 7, 1, 1},
                                            {9, 7, 3, 16, 3, 1},
                                            {14, 14, 64, 64, 3, 2},
                                            {13, 11, 24, 40, 1, 2},
                                            {7, 7, 128, 512, 1, 1},
                                            {7, 7, 512, 512, 3, 1},
                                            {28, 28, 128, 512, 1, 1},
                                            {56, 56, 64, 64, 3, 1}}) {
        CAPTURE(shape.height);
        CAPTURE(shape.in_channels);
        check_convolution(*device, shape);
      }
      for (const Type output : {Type::float32, device->activation_type()}) {
        check_linear(*device, 1, 2048, 1000, output);
        check_linear(*device, 1, 33, 7, output);
        check_linear(*device, 17, 64, 96, output);
        check_linear(*device, 197, 768, 768, output);
      }
      check_attention(*device, 1, 1, 1);
      check_attention(*device, 17, 3, 20);
      check_attention(*device, 197, 3, 64);
    }
  }
}

}  // namespace
