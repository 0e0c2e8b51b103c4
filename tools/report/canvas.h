// What figures are drawn on: a few shapes in inks that have a name, so that a page can show them dark and light. Uses
// image.h of the public interface.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::tools::report {

struct Point {
  double x = 0, y = 0;
};

using Rgb = std::array<std::uint8_t, 3>;

/// The palette. Colours of the inks stand in colours.h; `exact` is a colour of its own, the same in dark and light.
enum class Ink : std::uint8_t { none, paper, text, muted, rule, source, target, limit, band, mark, exact };

struct Paint {
  Ink ink = Ink::none;
  Rgb rgb{};  ///< for Ink::exact

  static Paint of(const Rgb& rgb) { return {Ink::exact, rgb}; }
};

enum class Anchor : std::uint8_t { start, middle, end };

struct Stroke {
  Paint paint;
  double width = 1;
  bool dashed = false;
};

struct Lettering {
  double size = 12;  ///< height of the em
  Anchor anchor = Anchor::start;
  Ink ink = Ink::text;
  bool bold = false;
};

/// Coordinates in points from the top left. What is drawn later lies above.
class Canvas {
 public:
  Canvas() = default;
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  virtual ~Canvas() = default;

  virtual void line(std::span<const Point> points, const Stroke& stroke) = 0;
  /// Polygons of one colour, with an outline if `stroke` has ink.
  virtual void area(std::span<const std::vector<Point>> polygons, const Paint& fill, const Stroke& stroke) = 0;
  virtual void disc(const Point& centre, double radius, const Paint& fill, const Stroke& stroke) = 0;
  /// `at` is on the baseline.
  virtual void text(const Point& at, std::string_view text, const Lettering& lettering) = 0;
  /// Every pixel a square where it is magnified.
  virtual void picture(const Point& top_left, double width, double height, const Picture& picture) = 0;

  void rectangle(const Point& top_left, double width, double height, const Paint& fill, const Stroke& stroke = {});
};

}  // namespace blindspot::tools::report
