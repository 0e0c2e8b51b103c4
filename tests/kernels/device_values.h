// What the tests of kernels share: numbers in device memory, random values, errors relative to the largest magnitude.
// May use the CUDA runtime and the element types of the kernels.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/launch.cuh"

namespace blindspot::tests {

using Values = std::vector<double>;

template <class T>
constexpr kernels::Element element_of() {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) return kernels::Element::bfloat16;
  if constexpr (std::is_same_v<T, __half>) return kernels::Element::float16;
  return kernels::Element::float32;
}

/// Largest error of one rounding to the type, relative to the largest magnitude; float32 leaves room for sums.
template <class T>
constexpr double tolerance() {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) return 4e-3;
  if constexpr (std::is_same_v<T, __half>) return 5e-4;
  return 2e-6;
}

inline Values random_values(std::int64_t count, unsigned seed, double low = -1, double high = 1) {
  std::mt19937_64 generator(seed);
  Values values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value =
        static_cast<double>(static_cast<float>(low + (high - low) * static_cast<double>(generator() >> 11U) * 0x1p-53));
  }
  return values;
}

template <class T>
T stored(double value) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, __half>) {
    return kernels::from_float<T>(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::int64_t>(value));  // bytes wrap around
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
double loaded(T value) {
  if constexpr (std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, __half>) {
    return static_cast<double>(kernels::to_float(value));
  } else {
    return static_cast<double>(value);
  }
}

/// The values as the type holds them.
template <class T>
Values rounded(Values values) {
  for (double& value : values) value = loaded(stored<T>(value));
  return values;
}

/// An array in device memory that begins `shift` elements behind an aligned place; what lies around it must stay.
template <class T>
class DeviceValues {
 public:
  explicit DeviceValues(const Values& values, std::size_t shift = 0) : count_(values.size()), shift_(shift) {
    std::vector<T> elements(count_ + shift_, stored<T>(0));
    std::transform(values.begin(), values.end(), elements.begin() + static_cast<std::ptrdiff_t>(shift_), stored<T>);
    const std::size_t bytes = std::max<std::size_t>(elements.size() * sizeof(T), 1);
    REQUIRE(cudaMalloc(&memory_, bytes) == cudaSuccess);
    REQUIRE(cudaMemcpy(memory_, elements.data(), elements.size() * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  DeviceValues(const DeviceValues&) = delete;
  DeviceValues& operator=(const DeviceValues&) = delete;
  ~DeviceValues() { cudaFree(memory_); }

  T* data() const { return memory_ + shift_; }
  std::vector<T> elements() const {
    std::vector<T> result(count_);
    REQUIRE(cudaMemcpy(result.data(), data(), count_ * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
    return result;
  }
  Values values() const {
    const std::vector<T> all = elements();
    Values result(count_);
    std::transform(all.begin(), all.end(), result.begin(), loaded<T>);
    return result;
  }

 private:
  T* memory_ = nullptr;
  std::size_t count_, shift_;
};

/// Room for `count` results, filled with a number that no result is.
inline Values room(std::int64_t count) {
  return Values(static_cast<std::size_t>(count), -77.0);
}

/// Largest difference relative to the largest expected magnitude, or to `magnitude` if that is larger; NaN where only
/// one side is NaN.
inline double largest_error(const Values& results, const Values& expected, double magnitude = 0) {
  REQUIRE(results.size() == expected.size());
  double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(results[i]) && std::isnan(expected[i])) continue;
    if (results[i] == expected[i]) continue;
    const double error = std::abs(results[i] - expected[i]);
    if (std::isnan(error)) return error;
    difference = std::max(difference, error);
  }
  for (const double value : expected) magnitude = std::isnan(value) ? magnitude : std::max(magnitude, std::abs(value));
  return difference == 0 ? 0 : difference / magnitude;
}

inline bool same_bits(const Values& left, const Values& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](double a, double b) {
    return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b));
  });
}

/// Entries `first` … `first` + `count` − 1.
inline Values part(const Values& values, std::int64_t first, std::int64_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace blindspot::tests
