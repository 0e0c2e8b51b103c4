// The arithmetic and the memory traffic that no device can do without, for each prepared operation. May use device.h
// only.
#pragma once

#include <array>

#include "engine/device.h"

namespace blindspot {

/// Of forward and of the input gradient, activations and weights being stored as `activation`.
std::array<OperationWork, 2> work_of(const ConvolutionDescription& description, Type activation);
std::array<OperationWork, 2> work_of(const LinearDescription& description, Type activation);
std::array<OperationWork, 2> work_of(const AttentionDescription& description, Type activation);

}  // namespace blindspot
