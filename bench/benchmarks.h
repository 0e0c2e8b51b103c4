// What the benchmarks of operations share: arrays of random values, and the benchmarks of the other file. Sees
// device.h.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "engine/device.h"

namespace blindspot::bench {

/// Uniform, the same each time.
inline std::vector<float> random_values(std::int64_t count, float low = -1, float high = 1) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = uniform(generator);
  return values;
}

inline Array random_floats(Device& device, Shape shape, float low = -1, float high = 1) {
  Array values = device.array(Type::float32, shape);
  device.upload(std::span<const float>(random_values(shape.count(), low, high)), values);
  return values;
}

/// In the device's activation type.
inline Array random_activation(Device& device, Shape shape, float low = -1, float high = 1) {
  Array values = random_floats(device, shape, low, high);
  if (device.activation_type() == Type::float32) return values;
  Array converted = device.activation(shape);
  device.convert(values, converted);
  return converted;
}

/// Operations that are plain calls and the walk's own, with the GB/s that their arrays amount to.
void register_plain_operations(Precision precision);

}  // namespace blindspot::bench
