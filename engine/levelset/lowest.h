// The adaptive search for the lowest confidence of a segment or a triangle (public header hull.h, check_segments and
// check_triangles). Sees Network, Device and arrays only.
#pragma once

#include <span>
#include <vector>

#include "blindspot/hull.h"
#include "engine/levelset/point_passes.h"

namespace blindspot::levelset {

/// A source with one target or two.
struct SearchedHull {
  const Image* source = nullptr;
  std::vector<const Image*> targets;
  std::int32_t source_class = 0;
};

/// `gradient_cost`: forward passes that one forward pass with its gradient costs, 1 at the least. Which points a hull
/// is asked at depends on that hull alone.
std::vector<LowestPoint> lowest_points(Network& network, Device& device, std::span<const SearchedHull> hulls,
                                       const CheckOptions& options, double gradient_cost, const Cancelled& cancelled);

}  // namespace blindspot::levelset
