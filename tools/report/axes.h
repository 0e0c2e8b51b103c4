// The frame of a plot: ranges, ticks and labels. Uses canvas.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/report/canvas.h"

namespace blindspot::tools::report {

struct Range {
  double low = 0, high = 1;

  double length() const { return high - low; }
};

/// About `count` round numbers in the range.
std::vector<double> round_ticks(const Range& range, int count);
/// As few digits as tell the ticks apart.
std::string tick_text(double value, const Range& range);

/// A rectangle on a canvas, and what its sides mean.
struct Axes {
  Point top_left;
  double width = 0, height = 0;
  Range x, y;

  Point at(double x_value, double y_value) const;
  /// Rules at the ticks of y, ticks of x beneath, and what is measured.
  void draw(Canvas& canvas, const std::string& x_title, int x_ticks, int y_ticks) const;
  /// Joins values that follow each other; where one has no number the line is broken. One alone is a dot.
  void draw_curve(Canvas& canvas, std::span<const Point> values, const Stroke& stroke) const;
};

inline constexpr double letter_size = 13, small_letter_size = 12;

}  // namespace blindspot::tools::report
