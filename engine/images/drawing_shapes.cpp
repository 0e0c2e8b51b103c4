// Implementation of drawing_shapes.h: each figure is a few inequalities.
#include "engine/images/drawing_shapes.h"

#include <array>
#include <cmath>

namespace blindspot::drawing {

namespace {

double between(double low, double high, double share) {
  return low + (high - low) * share;
}

bool in_disc(double u, double v, double radius) {
  return u * u + v * v <= radius * radius;
}

bool in_box(double u, double v, double half_width, double half_height) {
  return std::abs(u) <= half_width && std::abs(v) <= half_height;
}

/// Equilateral, one corner up: inside the three lines at half the distance of the corners.
bool in_triangle(double u, double v) {
  constexpr double root_of_3_halves = 0.8660254037844386;
  return v <= 0.5 && root_of_3_halves * u - 0.5 * v <= 0.5 && -root_of_3_halves * u - 0.5 * v <= 0.5;
}

/// A pentagram's outline: a point is inside when at most one of the five lines has it on the far side. `distance`: of
/// the lines from the centre; cos 72° = 0.309 puts the tips at 1.
bool in_star(double u, double v, double distance) {
  struct Direction {
    double u, v;
  };
  constexpr std::array<Direction, 5> normals{{{0.0, 1.0},
                                              {0.9510565162951535, 0.3090169943749474},
                                              {0.5877852522924731, -0.8090169943749475},
                                              {-0.5877852522924731, -0.8090169943749475},
                                              {-0.9510565162951535, 0.3090169943749474}}};
  int beyond = 0;
  for (const Direction& normal : normals) beyond += normal.u * u + normal.v * v > distance ? 1 : 0;
  return beyond <= 1;
}

/// The sextic (a² + b² − 1)³ = a²b³, b upwards.
bool in_heart(double u, double v) {
  const double a = 1.2 * u;
  const double b = -1.2 * v + 0.1;
  const double ball = a * a + b * b - 1.0;
  return ball * ball * ball <= a * a * b * b * b;
}

/// Which of `count` equal parts of [−1, 1] the coordinate lies in.
int part_of(double coordinate, int count) {
  return static_cast<int>(std::floor((coordinate + 1.0) * 0.5 * static_cast<double>(count)));
}

}  // namespace

const std::vector<std::string>& shape_names() {
  static const std::vector<std::string> names{"checkerboard", "crescent", "cross", "disc",    "heart",
                                              "ring",         "square",   "star",  "stripes", "triangle"};
  return names;
}

bool Figure::contains(double u, double v) const {
  switch (shape) {
    case Shape::disc:
      return in_disc(u, v, 0.92);
    case Shape::ring:
      return in_disc(u, v, 1.0) && !in_disc(u, v, between(0.42, 0.72, proportion));
    case Shape::square:
      return in_box(u, v, 0.82, 0.82);
    case Shape::triangle:
      return in_triangle(u / 1.1, v / 1.1);
    case Shape::cross: {
      const double half_width = between(0.2, 0.36, proportion);
      return in_box(u, v, 1.0, half_width) || in_box(u, v, half_width, 1.0);
    }
    case Shape::star:
      return in_star(u / 1.15, v / 1.15, between(0.309, 0.36, proportion));
    case Shape::heart:
      return in_heart(u, v);
    case Shape::crescent:
      return in_disc(u, v, 1.0) && !in_disc(u - between(0.3, 0.5, proportion), v, 0.82);
    case Shape::stripes:
      return in_box(u, v, 0.95, 0.95) && part_of(u / 0.95, proportion < 0.5 ? 5 : 7) % 2 == 0;
    case Shape::checkerboard: {
      const int cells = proportion < 0.5 ? 3 : 4;
      return in_box(u, v, 0.95, 0.95) && (part_of(u / 0.95, cells) + part_of(v / 0.95, cells)) % 2 == 0;
    }
  }
  return false;
}

}  // namespace blindspot::drawing
