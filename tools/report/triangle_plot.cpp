// Implementation of triangle_plot.h.
#include "tools/report/triangle_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/report/axes.h"
#include "tools/report/colours.h"
#include "tools/report/markup.h"

namespace blindspot::tools::report {

namespace {

constexpr double triangle_width = 440, picture_side = 72, figure_margin = 8, bar_space = 52, most_height = 330;
constexpr double band_width = 0.02;

double squared_distance(const Picture& a, const Picture& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size() && i < b.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]);
    sum += difference * difference;
  }
  return sum;
}

/// A corner of a small triangle: where it lies, and the confidence there.
struct Node {
  Point point;
  double value = 0;
};

Node between(const Node& a, const Node& b, double value) {
  const double share = (value - a.value) / (b.value - a.value);
  return {{a.point.x + share * (b.point.x - a.point.x), a.point.y + share * (b.point.y - a.point.y)}, value};
}

/// The part of a convex polygon where the linear value is at least `level` (or at most, for `above` false).
std::vector<Node> clipped(const std::vector<Node>& polygon, double level, bool above) {
  const auto inside = [level, above](const Node& node) { return above ? node.value >= level : node.value <= level; };
  std::vector<Node> result;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Node& here = polygon[i];
    const Node& next = polygon[(i + 1) % polygon.size()];
    if (inside(here)) result.push_back(here);
    if (inside(here) != inside(next)) result.push_back(between(here, next, level));
  }
  return result;
}

using Cell = std::array<Node, 3>;

/// The small triangles whose three corners were all computed.
std::vector<Cell> cells_of(const TriangleGrid& grid, const std::array<Point, 3>& corners) {
  const int k = grid.divisions();
  const auto node = [&grid, &corners, k](int i, int j) {
    const double t1 = static_cast<double>(i) / k, t2 = static_cast<double>(j) / k, t0 = 1 - t1 - t2;
    return Node{{t0 * corners[0].x + t1 * corners[1].x + t2 * corners[2].x,
                 t0 * corners[0].y + t1 * corners[1].y + t2 * corners[2].y},
                grid.at(i, j)};
  };
  std::vector<Cell> cells;
  for (int i = 0; i < k; ++i) {
    for (int j = 0; i + j < k; ++j) {
      cells.push_back({node(i, j), node(i + 1, j), node(i, j + 1)});
      if (i + j + 2 <= k) cells.push_back({node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)});
    }
  }
  std::erase_if(cells, [](const Cell& cell) {
    return std::any_of(cell.begin(), cell.end(), [](const Node& corner) { return !std::isfinite(corner.value); });
  });
  return cells;
}

/// All pieces of one band have one colour, so they go into one shape.
void draw_bands(Canvas& canvas, const std::vector<Cell>& cells) {
  std::map<int, std::vector<std::vector<Point>>> bands;
  for (const Cell& cell : cells) {
    const auto [least, most] =
        std::minmax_element(cell.begin(), cell.end(), [](const Node& a, const Node& b) { return a.value < b.value; });
    const int first = static_cast<int>(least->value / band_width);
    const int last = std::max(first, static_cast<int>(std::ceil(most->value / band_width)) - 1);
    for (int band = first; band <= last; ++band) {
      std::vector<Node> piece(cell.begin(), cell.end());
      if (band > first) piece = clipped(piece, band * band_width, true);
      if (band < last) piece = clipped(piece, (band + 1) * band_width, false);
      if (piece.size() < 3) continue;
      std::vector<Point> polygon;
      polygon.reserve(piece.size());
      for (const Node& corner : piece) polygon.push_back(corner.point);
      bands[std::min(band, static_cast<int>(1 / band_width) - 1)].push_back(std::move(polygon));
    }
  }
  for (const auto& [band, polygons] : bands) {
    const Paint paint = Paint::of(confidence_colour((band + 0.5) * band_width));
    canvas.area(polygons, paint, {paint, 1, false});  // the outline closes the seams between pieces
  }
}

void draw_contour(Canvas& canvas, const std::vector<Cell>& cells, double level) {
  for (const Cell& cell : cells) {
    std::vector<Point> crossing;
    for (std::size_t i = 0; i < cell.size(); ++i) {
      const Node& a = cell[i];
      const Node& b = cell[(i + 1) % cell.size()];
      if ((a.value < level) != (b.value < level)) crossing.push_back(between(a, b, level).point);
    }
    if (crossing.size() == 2) canvas.line(crossing, {Paint::of({255, 255, 255}), 1.6, false});
  }
}

void draw_points(Canvas& canvas, const Triangle& triangle, const std::array<Point, 3>& corners) {
  for (const HullPoint& point : triangle.points) {
    const double t0 = 1 - point.t1 - point.t2;
    canvas.disc({t0 * corners[0].x + point.t1 * corners[1].x + point.t2 * corners[2].x,
                 t0 * corners[0].y + point.t1 * corners[1].y + point.t2 * corners[2].y},
                1.7, Paint::of({214, 39, 40}), {});
  }
}

void draw_bar(Canvas& canvas, const TriangleLayout& layout) {
  constexpr double bar_width = 12;
  constexpr int steps = 50;
  const double left = triangle_width - 40, top = figure_margin + 12, height = layout.height - 2 * figure_margin - 24;
  for (int i = 0; i < steps; ++i) {
    const double low = top + height * (1 - (i + 1.0) / steps);
    const Paint paint = Paint::of(confidence_colour((i + 0.5) / steps));
    canvas.rectangle({left, low}, bar_width, height / steps, paint, {paint, 0.6, false});
  }
  for (const double tick : {0.0, 0.5, 1.0}) {
    canvas.text({left + bar_width + 5, top + height * (1 - tick) + 4}, fmt::format("{:.1f}", tick),
                {small_letter_size, Anchor::start, Ink::muted, false});
  }
}

}  // namespace

TriangleGrid::TriangleGrid(const std::vector<HullPoint>& points) {
  constexpr int most_divisions = 1000;
  double step = 1;
  for (const HullPoint& point : points) {
    if (point.t1 > 1.0 / most_divisions) step = std::min(step, point.t1);
    if (point.t2 > 1.0 / most_divisions) step = std::min(step, point.t2);
  }
  divisions_ = static_cast<int>(std::lround(1 / step));
  const auto side = static_cast<std::size_t>(divisions_) + 1;
  values_.assign(side * side, unknown);
  for (const HullPoint& point : points) {
    const auto i = static_cast<std::size_t>(std::lround(point.t1 * divisions_));
    const auto j = static_cast<std::size_t>(std::lround(point.t2 * divisions_));
    if (i < side && j < side) values_[i * side + j] = point.probability;
  }
}

double TriangleGrid::at(int i, int j) const {
  return values_.at(static_cast<std::size_t>(i) * static_cast<std::size_t>(divisions_ + 1) +
                    static_cast<std::size_t>(j));
}

TriangleLayout triangle_layout(const std::array<Picture, 3>& corners) {
  // Source at (0, 0), first at (1, 0); the second follows from the three distances.
  const double first = squared_distance(corners[0], corners[1]), second = squared_distance(corners[0], corners[2]);
  const double opposite = squared_distance(corners[1], corners[2]);
  Point apex{0.5, std::sqrt(3.0) / 2};
  TriangleLayout layout;
  if (first > 0) {
    const double along = (first + second - opposite) / (2 * first);
    const double across = std::sqrt(std::max(0.0, second / first - along * along));
    constexpr double flattest = 0.35;
    if (across > flattest && across < 1 / flattest && along > -1 && along < 2) {
      apex = {along, across};
      layout.true_to_distance = true;
    }
  }
  const double left = std::min(0.0, apex.x), right = std::max(1.0, apex.x);
  const double room = triangle_width - bar_space - 2 * figure_margin - picture_side;
  const double scale = std::min(room / (right - left), most_height / apex.y);
  const double start = figure_margin + picture_side / 2 + (room - scale * (right - left)) / 2;
  const double top = figure_margin + picture_side + 4, base = top + scale * apex.y;
  layout.width = triangle_width;
  layout.height = base + 4 + picture_side + figure_margin;
  layout.corners = {Point{start - scale * left, base}, Point{start + scale * (1 - left), base},
                    Point{start + scale * (apex.x - left), top}};
  return layout;
}

Figure triangle_figure(const Triangle& triangle, const std::array<Picture, 3>& corners, double limit,
                       std::string name) {
  const TriangleLayout layout = triangle_layout(corners);
  Figure figure{std::move(name),
                fmt::format("Confidence in {} over the triangle", triangle.source_label),
                fmt::format("Contour map over the triangle between the source and two images: {} at the source, {} on "
                            "average over {} points.",
                            number(triangle.p_source), number(triangle.mean), triangle.points.size()),
                layout.width,
                layout.height,
                nullptr};
  figure.draw = [triangle, corners, layout, limit](Canvas& canvas) {
    const std::vector<Cell> cells = cells_of(TriangleGrid(triangle.points), layout.corners);
    draw_bands(canvas, cells);
    if (std::isfinite(limit)) draw_contour(canvas, cells, limit);
    draw_points(canvas, triangle, layout.corners);
    const auto& [source, first, second] = layout.corners;
    constexpr double half = picture_side / 2;
    canvas.picture({source.x - half, source.y + 4}, picture_side, picture_side, corners[0]);
    canvas.picture({first.x - half, first.y + 4}, picture_side, picture_side, corners[1]);
    canvas.picture({second.x - half, second.y - 4 - picture_side}, picture_side, picture_side, corners[2]);
    draw_bar(canvas, layout);
  };
  return figure;
}

}  // namespace blindspot::tools::report
