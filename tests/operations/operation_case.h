// One row of the operation test: what goes into an operation, what a reference in double says must come out, and how to
// call it on a device. Uses engine/device.h alone, so that every device runs the same rows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"

namespace blindspot::tests {

using Values = std::vector<double>;

/// What a field is stored as: the device's activation type, float32, int32, uint8; a weight is rounded as the
/// activation type is but handed over as float32 values, a number is handed over as it is.
enum class Kind : std::uint8_t { activation, float32, int32, uint8, weight, number };

/// An input (with values) or an output (without) of an operation. `per_image`: its first size is the batch.
struct Field {
  Kind kind = Kind::activation;
  Shape shape;
  bool per_image = true;
  Values values = {};
};

/// What an operation is called with: arrays of the inputs (empty for weights and numbers), the float32 values of all
/// inputs, and arrays of the outputs.
struct Call {
  Device& device;
  std::vector<Array> in;
  std::vector<std::vector<float>> values;
  std::vector<Array> out;
};

struct OperationCase {
  std::string name;
  std::vector<Field> inputs;
  std::vector<Field> outputs;
  std::function<void(Call&)> run;
  /// Expected outputs from the inputs as they were rounded.
  std::function<std::vector<Values>(const std::vector<Values>&)> reference;
};

/// Reproducible values in [low, high).
Values random_values(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1);

/// The inputs as the device's activation type holds them.
std::vector<Values> rounded_inputs(const OperationCase& operation, const Device& device);

/// Runs a case on a device and returns its outputs.
std::vector<Values> run_case(const OperationCase& operation, const std::vector<Values>& inputs, Device& device);

std::vector<OperationCase> plain_cases();
std::vector<OperationCase> transformer_cases();
std::vector<OperationCase> convolution_cases();
std::vector<OperationCase> walk_cases();
std::vector<OperationCase> measure_cases();

}  // namespace blindspot::tests
