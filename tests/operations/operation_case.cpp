// Carries the values of a case onto a device and back. Uses engine/device.h alone.
#include "tests/operations/operation_case.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace blindspot::tests {
namespace {

/// To nearest even, denormal numbers included.
double rounded_to_float16(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), -14);
  const double unit = std::ldexp(1.0, exponent - 10);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::abs(rounded) > 65504 ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

double rounded_to_bfloat16(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::uint32_t upper = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000U;
  return static_cast<double>(std::bit_cast<float>(upper));
}

Type stored_type(Kind kind, const Device& device) {
  switch (kind) {
    case Kind::activation:
      return device.activation_type();
    case Kind::int32:
      return Type::int32;
    case Kind::uint8:
      return Type::uint8;
    default:
      return Type::float32;
  }
}

Array uploaded(const Field& field, const std::vector<float>& values, Device& device) {
  if (field.kind == Kind::weight || field.kind == Kind::number) return {};
  const Type type = stored_type(field.kind, device);
  Array result = device.array(type, field.shape);
  if (type == Type::int32) {
    const std::vector<std::int32_t> integers(values.begin(), values.end());
    device.upload(std::span(integers), result);
  } else if (type == Type::uint8) {
    const std::vector<std::uint8_t> bytes(values.begin(), values.end());
    device.upload(std::span(bytes), result);
  } else if (type == Type::float32) {
    device.upload(std::span(values), result);
  } else {
    Array wide = device.array(Type::float32, field.shape);
    device.upload(std::span(values), wide);
    device.convert(wide, result);
  }
  return result;
}

Values downloaded(const Array& array, Device& device) {
  const auto count = static_cast<std::size_t>(array.shape().count());
  if (array.type() == Type::uint8) {
    std::vector<std::uint8_t> values(count);
    device.download(array, std::span(values));
    return {values.begin(), values.end()};
  }
  std::vector<float> values(count);
  if (array.type() == Type::float32) {
    device.download(array, std::span(values));
  } else {
    Array wide = device.array(Type::float32, array.shape());
    device.convert(array, wide);
    device.download(wide, std::span(values));
  }
  return {values.begin(), values.end()};
}

}  // namespace

Values random_values(const Shape& shape, std::uint64_t seed, double low, double high) {
  Values values(static_cast<std::size_t>(shape.count()));
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
  for (double& value : values) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    std::uint64_t mixed = state ^ (state >> 29);
    mixed *= 0xbf58476d1ce4e5b9U;
    value = static_cast<double>(static_cast<float>(low + (high - low) * static_cast<double>(mixed >> 11) * 0x1p-53));
  }
  return values;
}

std::vector<Values> rounded_inputs(const OperationCase& operation, const Device& device) {
  std::vector<Values> inputs;
  for (const Field& field : operation.inputs) {
    Values values = field.values;
    const bool narrow = field.kind == Kind::activation || field.kind == Kind::weight;
    if (narrow && device.activation_type() == Type::bfloat16) {
      for (double& value : values) value = rounded_to_bfloat16(value);
    }
    if (narrow && device.activation_type() == Type::float16) {
      for (double& value : values) value = rounded_to_float16(value);
    }
    inputs.push_back(std::move(values));
  }
  return inputs;
}

std::vector<Values> run_case(const OperationCase& operation, const std::vector<Values>& inputs, Device& device) {
  Call call{device, {}, {}, {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<float> values;
    for (const double value : inputs[i]) values.push_back(static_cast<float>(value));
    call.in.push_back(uploaded(operation.inputs[i], values, device));
    call.values.push_back(std::move(values));
  }
  for (const Field& field : operation.outputs) {
    call.out.push_back(device.array(stored_type(field.kind, device), field.shape));
  }
  operation.run(call);
  std::vector<Values> results;
  for (const Array& array : call.out) results.push_back(downloaded(array, device));
  return results;
}

}  // namespace blindspot::tests
