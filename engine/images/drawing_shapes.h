// The ten figures as sets of points of the plane. Uses the standard library only.
#pragma once

#include <string>
#include <vector>

#include "engine/images/drawing_random.h"

namespace blindspot::drawing {

/// In the order of their names, so that folders named after them come in class order.
enum class Shape { checkerboard, crescent, cross, disc, heart, ring, square, star, stripes, triangle };

const std::vector<std::string>& shape_names();

/// One figure with its own proportions; about 1 from the centre to the outermost point.
struct Figure {
  Shape shape = Shape::disc;
  double proportion = 0;  ///< in [0, 1]: width of the ring, the bars, the crescent …

  /// Whether the point (u, v), v downwards, belongs to the figure. Sums, products and comparisons only.
  bool contains(double u, double v) const;
};

}  // namespace blindspot::drawing
