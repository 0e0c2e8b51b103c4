// Implementation of axes.h.
#include "tools/report/axes.h"

#include <algorithm>
#include <cmath>

#include "tools/report/markup.h"

namespace blindspot::tools::report {

namespace {

double round_step(const Range& range, int count) {
  const double rough = range.length() / std::max(count, 1);
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= 1.0000001 * factor * decade) return factor * decade;
  }
  return 10 * decade;
}

}  // namespace

std::vector<double> round_ticks(const Range& range, int count) {
  std::vector<double> ticks;
  if (!(range.length() > 0)) return {range.low};
  const double step = round_step(range, count);
  const double slack = 1e-9 * range.length();
  for (auto i = static_cast<std::int64_t>(std::ceil((range.low - slack) / step));
       static_cast<double>(i) * step <= range.high + slack; ++i) {
    ticks.push_back(static_cast<double>(i) * step);
  }
  return ticks;
}

std::string tick_text(double value, const Range& range) {
  const double step = range.length() > 0 ? round_step(range, 4) : 1;
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 8);
  return number(std::abs(value) < 1e-9 * range.length() ? 0.0 : value, decimals);
}

Point Axes::at(double x_value, double y_value) const {
  const double across = x.length() > 0 ? (x_value - x.low) / x.length() : 0;
  const double up = y.length() > 0 ? (y_value - y.low) / y.length() : 0;
  return {top_left.x + width * across, top_left.y + height * (1 - up)};
}

void Axes::draw(Canvas& canvas, const std::string& x_title, int x_ticks, int y_ticks) const {
  for (const double tick : round_ticks(y, y_ticks)) {
    const std::array<Point, 2> rule{at(x.low, tick), at(x.high, tick)};
    canvas.line(rule, {{Ink::rule, {}}, 1, false});
    canvas.text({top_left.x - 7, rule[0].y + 4}, tick_text(tick, y),
                {small_letter_size, Anchor::end, Ink::muted, false});
  }
  const double bottom = top_left.y + height;
  for (const double tick : round_ticks(x, x_ticks)) {
    const Point foot = at(tick, y.low);
    const std::array<Point, 2> mark{foot, Point{foot.x, bottom + 4}};
    canvas.line(mark, {{Ink::limit, {}}, 1, false});
    canvas.text({foot.x, bottom + 18}, tick_text(tick, x), {small_letter_size, Anchor::middle, Ink::muted, false});
  }
  const std::array<Point, 2> base{at(x.low, y.low), at(x.high, y.low)};
  canvas.line(base, {{Ink::limit, {}}, 1, false});
  canvas.text({top_left.x + width / 2, bottom + 36}, x_title, {small_letter_size, Anchor::middle, Ink::muted, false});
}

void Axes::draw_curve(Canvas& canvas, std::span<const Point> values, const Stroke& stroke) const {
  std::vector<Point> piece;
  const auto end_piece = [&] {
    if (piece.size() == 1) canvas.disc(piece[0], stroke.width / 2, stroke.paint, {});
    if (piece.size() > 1) canvas.line(piece, stroke);
    piece.clear();
  };
  for (const Point& value : values) {
    if (std::isfinite(value.y)) {
      piece.push_back(at(value.x, value.y));
    } else {
      end_piece();
    }
  }
  end_piece();
}

}  // namespace blindspot::tools::report
