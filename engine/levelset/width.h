// Path width (public header width.h) on one Network and one Device. Sees Network, Device and arrays only.
#pragma once

#include <span>
#include <vector>

#include "blindspot/width.h"
#include "engine/levelset/point_passes.h"

namespace blindspot::levelset {

std::vector<PathWidth> path_widths(Network& network, Device& device, std::span<const WidthPoint> points,
                                   const WidthOptions& options, const Cancelled& cancelled);

/// Linear interpolation at position share·(n − 1) of the sorted values; NaN where one of them is. `values` is
/// reordered.
double quantile(std::vector<double>& values, double share);

}  // namespace blindspot::levelset
