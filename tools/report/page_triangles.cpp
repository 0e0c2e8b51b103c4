// The triangles of a page. Uses page_sections.h and triangle_plot.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/markup.h"
#include "tools/report/page_sections.h"
#include "tools/report/triangle_plot.h"

namespace blindspot::tools::report {

namespace {

Json triangle_data(const Triangle& triangle, const std::array<Picture, 3>& corners, PictureTable& pictures) {
  const TriangleLayout layout = triangle_layout(corners);
  Json data = Json::object();
  data["size"] = {layout.width, layout.height};
  data["corners"] = Json::array();
  for (const Point& corner : layout.corners) data["corners"].push_back({corner.x, corner.y});
  data["pictures"] = Json::array();
  for (const Picture& corner : corners) data["pictures"].push_back(pictures.add(corner, detail_side));
  const TriangleGrid grid(triangle.points);
  data["divisions"] = grid.divisions();
  data["label"] = triangle.source_label;
  data["values"] = Json::array();
  for (int i = 0; i <= grid.divisions(); ++i) {
    Json row = Json::array();
    for (int j = 0; i + j <= grid.divisions(); ++j) {
      row.push_back(std::isfinite(grid.at(i, j)) ? Json(grid.at(i, j)) : Json(nullptr));
    }
    data["values"].push_back(std::move(row));
  }
  return data;
}

std::string metrics(const Triangle& triangle) {
  std::string text = "<dl class=\"metrics\">\n";
  const auto entry = [&text](const std::string& name, const std::string& value) {
    text += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
  };
  entry("at the source", number(triangle.p_source));
  entry("mean", number(triangle.mean));
  for (const auto& [drop, fraction] : triangle.fractions) {
    entry(drop > 0 ? fmt::format("share above p₀ − {:.1f}", drop) : "share above p₀", number(fraction, 3));
  }
  entry("mean on the two edges", number(triangle.edge_mean));
  entry("lowest on them, against p₀", number(triangle.edge_minimum));
  return text + "</dl>\n";
}

std::string values_table(const Triangle& triangle) {
  std::string text =
      "<details><summary>All values as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Values of the triangle\"><table><thead><tr><th scope=\"col\">share of the source</th><th "
      "scope=\"col\">of the first</th><th scope=\"col\">of the second</th><th scope=\"col\">confidence</th>"
      "</tr></thead><tbody>\n";
  for (const HullPoint& point : triangle.points) {
    text += fmt::format("<tr><td>{:.3g}</td><td>{:.3g}</td><td>{:.3g}</td><td>{}</td></tr>\n",
                        std::abs(1 - point.t1 - point.t2) < 1e-9 ? 0.0 : 1 - point.t1 - point.t2, point.t1, point.t2,
                        number(point.probability, 6));
  }
  return text + "</tbody></table></div></details>\n";
}

/// Whether the confidence crosses `limit` between the points, so that a line is drawn.
bool has_contour(const Triangle& triangle, double limit) {
  const auto is_above = [limit](const HullPoint& point) { return point.probability >= limit; };
  const auto is_below = [limit](const HullPoint& point) { return point.probability < limit; };
  return std::any_of(triangle.points.begin(), triangle.points.end(), is_above) &&
         std::any_of(triangle.points.begin(), triangle.points.end(), is_below);
}

std::string triangle_article(PageParts& parts, std::size_t number_of_triangle) {
  const Triangle& triangle = parts.data().triangles[number_of_triangle];
  const std::array<Picture, 3> corners = parts.input.corners(number_of_triangle);
  const double limit = triangle.p_source - parts.data().runs[triangle.run].delta;
  const std::size_t index = parts.triangles.size();
  parts.triangles.push_back(triangle_data(triangle, corners, parts.pictures));
  const std::string network =
      parts.data().runs.size() > 1 ? ", " + isolated(parts.data().runs[triangle.run].model) : "";
  const bool true_to_distance = triangle_layout(corners).true_to_distance;
  return fmt::format(
             "<article class=\"triangle\" data-triangle=\"{0}\">\n<h3>{1} <small>{2}</small></h3>\n<div class=\"map\" "
             "tabindex=\"0\" "
             "role=\"application\" aria-roledescription=\"triangle\" aria-label=\"Mix of the three images. Arrow keys "
             "move "
             "between computed points, with Shift in small steps; Home, End and Page Up go to the corners.\" "
             "aria-describedby=\"mix-{0}\">{3}</div>\n<div class=\"side\"><figure class=\"mix\"><canvas width=\"{4}\" "
             "height=\"{5}\" "
             "role=\"img\" "
             "aria-label=\"The mixed image\"></canvas><figcaption id=\"mix-{0}\" "
             "aria-live=\"polite\"></figcaption></figure>\n",
             index, isolated(triangle.source_label), isolated(triangle.source) + network,
             inline_svg(triangle_figure(triangle, corners, limit, "")), corners[0].width, corners[0].height) +
         metrics(triangle) +
         fmt::format("<p class=\"notes\">Lower left {}, lower right {}, top {}. {}{}</p>\n", isolated(triangle.source),
                     isolated(triangle.first), isolated(triangle.second),
                     true_to_distance
                         ? "Sides are as long as the images are apart."
                         : "Drawn with equal sides: the images’ own distances would make it too flat to read.",
                     has_contour(triangle, limit)
                         ? fmt::format(" The white line is where the confidence is {} (p₀ − δ).", number(limit, 3))
                         : "") +
         values_table(triangle) + "</div></article>\n";
}

}  // namespace

std::string triangles_section(PageParts& parts) {
  const std::size_t count = parts.data().triangles.size();
  if (count == 0) return "";
  std::string text =
      "<p>Every point of a triangle is a mix of three images: the source and two that the network takes for it. Move "
      "over it, "
      "or use the arrow keys, to see the mix and the confidence in the source’s class there. Red points were computed; "
      "between "
      "them values are interpolated.</p>\n<div class=\"triangles\">\n";
  for (std::size_t i = 0; i < count; ++i) {
    stop_if(parts.choice.cancelled);
    text += triangle_article(parts, i);
  }
  return text + "</div>\n";
}

}  // namespace blindspot::tools::report
