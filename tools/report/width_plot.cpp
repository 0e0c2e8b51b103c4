// Path width: the confidence around a path, as the paper's surface and as lines. Uses plots.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/colours.h"
#include "tools/report/plots.h"

namespace blindspot::tools::report {

namespace {

constexpr double surface_width = 440, surface_height = 350;
constexpr double lines_width = 420, lines_height = 254;  // as the curves', whose axes it has

/// Orthographic view of the unit box, from the azimuth and elevation of the paper's figure.
class View {
 public:
  Point at(double x, double y, double z) const {
    const double right = -sine_azimuth * x + cosine_azimuth * y;
    const double up = -sine_elevation * (cosine_azimuth * x + sine_azimuth * y) + cosine_elevation * z;
    return {centre_x + scale * right, centre_y - scale * up};
  }
  /// Larger is nearer.
  double depth(double x, double y) const { return cosine_azimuth * x + sine_azimuth * y; }

 private:
  static constexpr double cosine_azimuth = 0.5, sine_azimuth = -0.8660254037844386;                    // −60°
  static constexpr double cosine_elevation = 0.7660444431189780, sine_elevation = 0.6427876096865393;  // 40°
  static constexpr double centre_x = surface_width / 2 - 8, centre_y = 172, scale = 232;
};

struct Patch {
  std::vector<Point> corners;
  double value = 0, depth = 0;
};

double quantile(const WidthRow& row) {
  return std::isfinite(row.q05) ? row.q05 : 0;
}

/// Four corners between two records and two distances, on the side of `sign`.
Patch patch_between(const View& view, const Record& here, const Record& next, std::size_t ring, double sign,
                    double last_iteration, double largest) {
  Patch patch;
  const auto corner = [&](const Record& record, std::size_t i) {
    const double x = static_cast<double>(record.iteration) / last_iteration - 0.5;
    const double y = sign * record.width[i].radius / largest / 2;
    patch.corners.push_back(view.at(x, y, 0.55 * quantile(record.width[i]) - 0.25));
    patch.value += quantile(record.width[i]) / 4;
    patch.depth += view.depth(x, y) / 4;
  };
  corner(here, ring);
  corner(next, ring);
  corner(next, ring + 1);
  corner(here, ring + 1);
  return patch;
}

/// From the farthest to the nearest.
std::vector<Patch> patches_of(const View& view, const std::vector<Record>& records) {
  const double last = std::max(1.0, static_cast<double>(records.back().iteration));
  const double largest = records.front().width.back().radius;
  std::vector<Patch> patches;
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    for (std::size_t ring = 0; ring + 1 < records[i].width.size(); ++ring) {
      for (const double sign : {-1.0, 1.0}) {
        patches.push_back(patch_between(view, records[i], records[i + 1], ring, sign, last, largest));
      }
    }
  }
  std::sort(patches.begin(), patches.end(), [](const Patch& a, const Patch& b) { return a.depth < b.depth; });
  return patches;
}

void draw_box(Canvas& canvas, const View& view, double iterations, double largest) {
  constexpr double floor = -0.25;
  const std::vector<std::vector<Point>> ground{
      {view.at(-0.5, -0.5, floor), view.at(0.5, -0.5, floor), view.at(0.5, 0.5, floor), view.at(-0.5, 0.5, floor)}};
  canvas.area(ground, {}, {{Ink::rule, {}}, 1, false});
  for (const double height : {0.0, 0.5, 1.0}) {
    const std::array<Point, 3> wall{view.at(-0.5, -0.5, 0.55 * height + floor),
                                    view.at(-0.5, 0.5, 0.55 * height + floor),
                                    view.at(0.5, 0.5, 0.55 * height + floor)};
    canvas.line(wall, {{Ink::rule, {}}, 1, false});
    canvas.text({wall[2].x + 8, wall[2].y + 4}, fmt::format("{:.1f}", height),
                {small_letter_size, Anchor::start, Ink::muted, false});
  }
  const Lettering words{small_letter_size, Anchor::middle, Ink::muted, false};
  const Point start = view.at(-0.5, -0.5, floor), end = view.at(0.5, -0.5, floor);
  canvas.text({start.x, start.y + 18}, "0", words);
  canvas.text({end.x, end.y + 18}, fmt::format("{:.0f}", iterations), words);
  canvas.text({(start.x + end.x) / 2 - 24, (start.y + end.y) / 2 + 26}, "iteration", words);
  const Point far_side = view.at(0.5, 0.5, floor);
  canvas.text({(end.x + far_side.x) / 2 + 14, (end.y + far_side.y) / 2 + 16},
              fmt::format("L2 distance, ±{:.3g}", largest), {small_letter_size, Anchor::start, Ink::muted, false});
}

std::vector<Record> with_width(const Pair& pair) {
  std::vector<Record> records;
  for (const Record& record : pair.records) {
    if (record.width.size() > 1 && (records.empty() || record.width.size() == records.front().width.size())) {
      records.push_back(record);
    }
  }
  return records;
}

}  // namespace

bool has_width(const Pair& pair) {
  return with_width(pair).size() > 1;
}

Figure width_surface_figure(const Pair& pair, std::string name) {
  Figure figure{
      std::move(name),
      fmt::format("Width of the path from {} to {}", pair.source.label, pair.target.label),
      "Surface of the 5 % quantile of the confidence in the source's class over iteration and distance from the "
      "path.",
      surface_width,
      surface_height,
      nullptr};
  figure.draw = [records = with_width(pair)](Canvas& canvas) {
    const View view;
    draw_box(canvas, view, static_cast<double>(records.back().iteration), records.front().width.back().radius);
    for (const Patch& patch : patches_of(view, records)) {
      const Paint paint = Paint::of(confidence_colour(patch.value));
      canvas.area({&patch.corners, 1}, paint, {paint, 1, false});
    }
  };
  return figure;
}

Figure width_lines_figure(const Pair& pair, const Run& run, std::string name) {
  Figure figure{
      std::move(name),
      fmt::format("Confidence around the path from {} to {}", pair.source.label, pair.target.label),
      "5 % quantile of the confidence in the source's class at each distance from the path, against the iteration.",
      lines_width,
      lines_height,
      nullptr};
  figure.draw = [records = with_width(pair), run](Canvas& canvas) {
    Axes axes = curve_axes(run);
    axes.width -= 40;
    axes.draw(canvas, "iteration", 5, 5);
    const std::size_t rings = records.front().width.size();
    double lowest_label = -1e9;
    for (std::size_t ring = 0; ring < rings; ++ring) {
      std::vector<Point> values;
      values.reserve(records.size());
      for (const Record& record : records) {
        values.push_back({static_cast<double>(record.iteration), record.width[ring].q05});
      }
      const auto last = std::find_if(values.rbegin(), values.rend(), [](const Point& p) { return std::isfinite(p.y); });
      if (last == values.rend()) continue;
      const Point end = axes.at(last->x, last->y);
      // From the path itself outwards along the colours of the map that show on white and on black.
      const Paint paint =
          Paint::of(confidence_colour(0.3 + 0.5 * (1 - static_cast<double>(ring) / static_cast<double>(rings))));
      axes.draw_curve(canvas, values, {paint, 2, false});
      lowest_label = std::max(end.y + 4, lowest_label + 13);
      canvas.text({end.x + 6, lowest_label}, fmt::format("{:.3g}", records.front().width[ring].radius),
                  {small_letter_size, Anchor::start, Ink::text, false});
    }
    canvas.text({lines_width - 4, 17}, "at distance", {small_letter_size, Anchor::end, Ink::muted, false});
  };
  return figure;
}

}  // namespace blindspot::tools::report
