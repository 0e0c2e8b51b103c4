// Confidence curves of a walk. Uses plots.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/markup.h"
#include "tools/report/plots.h"

namespace blindspot::tools::report {

namespace {

constexpr double figure_width = 420, figure_height = 254;
constexpr double top = 46;  // room for a legend of two lines: names of classes may be long

/// One curve with its points; gaps where the walk had no number.
void draw_records(Canvas& canvas, const Axes& axes, const std::vector<Record>& records, double Record::*value,
                  Ink ink) {
  std::vector<Point> values;
  values.reserve(records.size());
  for (const Record& record : records) values.push_back({static_cast<double>(record.iteration), record.*value});
  axes.draw_curve(canvas, values, {{ink, {}}, 2, false});
  for (const Point& point : values) {
    if (std::isfinite(point.y)) canvas.disc(axes.at(point.x, point.y), 2.4, {ink, {}}, {});
  }
}

void draw_legend(Canvas& canvas, const Pair& pair) {
  canvas.disc({50, 11}, 4, {Ink::source, {}}, {});
  canvas.text({59, 15}, fmt::format("as “{}” (source)", pair.source.label),
              {letter_size, Anchor::start, Ink::source, true});
  canvas.disc({50, 28}, 4, {Ink::target, {}}, {});
  canvas.text({59, 32}, fmt::format("as “{}” (target)", pair.target.label),
              {letter_size, Anchor::start, Ink::target, true});
}

}  // namespace

Axes curve_axes(const Run& run) {
  return {{44, top},
          figure_width - 44 - 14,
          figure_height - top - 46,
          {0, std::max(1.0, static_cast<double>(run.iterations))},
          {0, 1}};
}

Figure curve_figure(const Pair& pair, const Run& run, std::string name) {
  const double least = pair.source.probability - run.delta;
  Figure figure{
      std::move(name),
      fmt::format("Confidence along the walk from {} to {}", pair.source.label, pair.target.label),
      fmt::format("Confidence in the source's class, {}, starts at {} and ends at {}; in the target's class, {}, it "
                  "ends at {}.",
                  pair.source.label, number(pair.source.probability), number(pair.probability), pair.target.label,
                  number(pair.target_probability)),
      figure_width,
      figure_height,
      nullptr};
  figure.draw = [pair, run, least](Canvas& canvas) {
    const Axes axes = curve_axes(run);
    axes.draw(canvas, "iteration", 5, 5);
    if (std::isfinite(least) && least > 0) {
      const std::array<Point, 2> limit{axes.at(axes.x.low, least), axes.at(axes.x.high, least)};
      canvas.line(limit, {{Ink::limit, {}}, 1.5, true});
      canvas.text({limit[0].x + 4, limit[0].y + 15}, "p₀ − δ", {small_letter_size, Anchor::start, Ink::muted, false});
    }
    draw_records(canvas, axes, pair.records, &Record::target_probability, Ink::target);
    draw_records(canvas, axes, pair.records, &Record::probability, Ink::source);
    draw_legend(canvas, pair);
  };
  return figure;
}

}  // namespace blindspot::tools::report
