// Figures as SVG. Uses figure.h, markup.h and encode_png of the public interface.
#include <fmt/format.h>

#include <cmath>

#include "tools/report/colours.h"
#include "tools/report/figure.h"
#include "tools/report/markup.h"

namespace blindspot::tools::report {

namespace {

/// Two decimals, without trailing zeros: a hundredth of a point is less than can be seen.
std::string coordinate(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string path_data(std::span<const Point> points, bool closed) {
  std::string data;
  for (std::size_t i = 0; i < points.size(); ++i) {
    data += fmt::format("{}{} {}", i == 0 ? "M" : "L", coordinate(points[i].x), coordinate(points[i].y));
  }
  return data + (closed ? "Z" : "");
}

std::string fill_of(const Paint& paint) {
  if (paint.ink == Ink::none) return R"( fill="none")";
  if (paint.ink == Ink::exact) return fmt::format(R"( fill="{}")", hexadecimal(paint.rgb));
  return fmt::format(R"( class="f-{}")", ink_name(paint.ink));
}

std::string stroke_of(const Stroke& stroke) {
  if (stroke.paint.ink == Ink::none) return "";
  const std::string dashes = stroke.dashed ? R"( stroke-dasharray="4 3")" : "";
  const std::string rest = fmt::format(R"( stroke-width="{}"{})", coordinate(stroke.width), dashes);
  if (stroke.paint.ink == Ink::exact) return fmt::format(R"( stroke="{}"{})", hexadecimal(stroke.paint.rgb), rest);
  return fmt::format(R"( class="s-{}"{})", ink_name(stroke.paint.ink), rest);
}

/// Fill and outline; where both are classes, they stand in one attribute.
std::string fill_and_stroke(const Paint& fill, const Stroke& stroke) {
  const bool both_named = fill.ink != Ink::none && fill.ink != Ink::exact && stroke.paint.ink != Ink::none &&
                          stroke.paint.ink != Ink::exact;
  if (!both_named) return fill_of(fill) + stroke_of(stroke);
  return fmt::format(R"( class="f-{} s-{}" stroke-width="{}")", ink_name(fill.ink), ink_name(stroke.paint.ink),
                     coordinate(stroke.width));
}

class SvgCanvas final : public Canvas {
 public:
  void line(std::span<const Point> points, const Stroke& stroke) override {
    body_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke-linejoin=\"round\"{}/>\n", path_data(points, false),
                         stroke_of(stroke));
  }

  void area(std::span<const std::vector<Point>> polygons, const Paint& fill, const Stroke& stroke) override {
    std::string data;
    for (const std::vector<Point>& polygon : polygons) data += path_data(polygon, true);
    body_ += fmt::format("<path d=\"{}\" stroke-linejoin=\"round\"{}/>\n", data, fill_and_stroke(fill, stroke));
  }

  void disc(const Point& centre, double radius, const Paint& fill, const Stroke& stroke) override {
    body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n", coordinate(centre.x), coordinate(centre.y),
                         coordinate(radius), fill_and_stroke(fill, stroke));
  }

  void text(const Point& at, std::string_view text, const Lettering& lettering) override {
    constexpr std::array<std::string_view, 3> anchors{"start", "middle", "end"};
    body_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\"{}{}>{}</text>\n",
                         coordinate(at.x), coordinate(at.y), coordinate(lettering.size),
                         anchors.at(static_cast<std::size_t>(lettering.anchor)),
                         lettering.bold ? R"( font-weight="600")" : "", fill_of({lettering.ink, {}}), escaped(text));
  }

  void picture(const Point& top_left, double width, double height, const Picture& picture) override {
    body_ += fmt::format(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"pixels\" preserveAspectRatio=\"none\" "
        "href=\"data:image/png;base64,{}\"/>\n",
        coordinate(top_left.x), coordinate(top_left.y), coordinate(width), coordinate(height),
        base64(encode_png(picture)));
  }

  const std::string& body() const { return body_; }

 private:
  std::string body_;
};

std::string view_box(const Figure& figure) {
  return fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img")",
                     coordinate(figure.width), coordinate(figure.height));
}

std::string light_style() {
  std::string style =
      "<style>text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
      ".pixels{image-rendering:pixelated}";
  for (auto ink = static_cast<int>(Ink::paper); ink < static_cast<int>(Ink::exact); ++ink) {
    const std::string_view name = ink_name(static_cast<Ink>(ink));
    const std::string colour = hexadecimal(light_colour(static_cast<Ink>(ink)));
    style += fmt::format(".f-{}{{fill:{}}}.s-{}{{stroke:{}}}", name, colour, name, colour);
  }
  return style + "</style>\n";
}

}  // namespace

std::string inline_svg(const Figure& figure) {
  SvgCanvas canvas;
  figure.draw(canvas);
  // A title element would show as a tip wherever the pointer rests on the figure.
  return fmt::format("{} aria-label=\"{}. {}\">\n{}</svg>\n", view_box(figure), escaped(figure.title),
                     escaped(figure.description), canvas.body());
}

std::string standalone_svg(const Figure& figure) {
  SvgCanvas canvas;
  canvas.rectangle({0, 0}, figure.width, figure.height, {Ink::paper, {}});
  figure.draw(canvas);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{} width=\"{}\" height=\"{}\">\n<title>{}</title>\n<desc>{}</desc>\n"
      "{}{}</svg>\n",
      view_box(figure), coordinate(figure.width), coordinate(figure.height), escaped(figure.title),
      escaped(figure.description), light_style(), canvas.body());
}

}  // namespace blindspot::tools::report
