// What an operation of a network costs at the least: a plain type that may be used everywhere.
#pragma once

#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// Of one pass, forward or input gradient, through one operation, whoever computes it.
struct OperationWork {
  double operations = 0;  ///< floating-point operations, two a multiply-add
  double bytes = 0;       ///< activations in and out, weights and masks, each moved once
};

}  // namespace blindspot
