// The triangle between a source and two images: a contour map of the confidence in the source's class. Uses plots.h.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tools/report/figure.h"
#include "tools/report/report_data.h"

namespace blindspot::tools::report {

/// Where a triangle lies in its figure. Sides are as long as the images are apart (L2), as in the paper, unless the
/// triangle would be too flat to read.
struct TriangleLayout {
  std::array<Point, 3> corners;  ///< source, first, second
  double width = 0, height = 0;
  bool true_to_distance = false;
};
TriangleLayout triangle_layout(const std::array<Picture, 3>& corners);

/// Confidences at (i/k, j/k), NaN where there is none.
class TriangleGrid {
 public:
  explicit TriangleGrid(const std::vector<HullPoint>& points);

  int divisions() const { return divisions_; }
  double at(int i, int j) const;

 private:
  int divisions_ = 1;
  std::vector<double> values_;
};

/// `limit`: a confidence whose contour is drawn; NaN: none.
Figure triangle_figure(const Triangle& triangle, const std::array<Picture, 3>& corners, double limit, std::string name);

}  // namespace blindspot::tools::report
