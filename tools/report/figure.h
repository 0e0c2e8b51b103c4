// A plot that can be drawn anywhere, and what it becomes: SVG as text, PNG as pixels. Uses canvas.h.
#pragma once

#include <functional>
#include <string>

#include "tools/report/canvas.h"

namespace blindspot::tools::report {

struct Figure {
  std::string name;         ///< of its files, without their ending
  std::string title;        ///< short: what it is
  std::string description;  ///< what it shows, for those who cannot see it
  double width = 0, height = 0;
  std::function<void(Canvas&)> draw;
};

/// As an element of a page: the page's style sheet says what inks look like.
std::string inline_svg(const Figure& figure);
/// As a file of its own, on white.
std::string standalone_svg(const Figure& figure);
/// On white, `scale` pixels a point. Throws Error(device) if there is no memory for it.
Picture rasterised(const Figure& figure, double scale = 2);

}  // namespace blindspot::tools::report
