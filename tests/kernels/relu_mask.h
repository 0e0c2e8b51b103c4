// What a ReLU lets through, and its bits as the kernels pack them, plainly. May use device_values.h.
#pragma once

#include "tests/kernels/device_values.h"

namespace blindspot::tests {

/// NaN passes.
inline bool passes(double value) {
  return !(value <= 0);
}

/// A bit an element, eight to a byte, the lowest first.
inline Values mask_of(const Values& values) {
  Values bytes((values.size() + 7) / 8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (passes(values[i])) bytes[i / 8] += 1 << (i % 8);
  }
  return bytes;
}

/// Zero where `signs` do not pass.
inline Values masked(Values values, const Values& signs) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = passes(signs[i]) ? values[i] : 0;
  return values;
}

}  // namespace blindspot::tests
