// GPUs described to cuDNN, which answers for them without one. Standard library only.
#pragma once

#include <string>

namespace blindspot::tests {

struct DescribedDevice {
  std::string name;
  int compute_capability = 0;  ///< 90 for 9.0
  std::string properties;      ///< cuDNN's JSON (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION)
};

DescribedDevice h100();
DescribedDevice h200();

}  // namespace blindspot::tests
