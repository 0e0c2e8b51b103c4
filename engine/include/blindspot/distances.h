// Distances between two images. Part of the public interface; uses the standard library only.
#pragma once

#include "blindspot/image.h"

namespace blindspot {

/// L2/√n over all n = 3·H·W values, accumulated in double. Images of unequal size: Error(usage).
double rmse(const Image& a, const Image& b);
/// Largest absolute difference.
double linf(const Image& a, const Image& b);

}  // namespace blindspot
