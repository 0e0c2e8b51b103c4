// The image grids of a page, one a network. Uses page_sections.h and image_grid.h.
#include <fmt/format.h>

#include <algorithm>

#include "tools/report/image_grid.h"
#include "tools/report/markup.h"
#include "tools/report/page_sections.h"

namespace blindspot::tools::report {

namespace {

std::string image_element(const Picture& picture, int side, const std::string& alternative) {
  return fmt::format(R"(<img src="{}" alt="{}" width="{}" height="{}" decoding="async">)", data_address(picture, side),
                     escaped(alternative), picture.width, picture.height);
}

/// Pictures are small where there are many: with any number of networks the page stays small.
int side_of_pictures(const std::vector<ImageGrid>& grids) {
  constexpr std::size_t most_large = 4 * most_grid_side * most_grid_side;
  std::size_t cells = 0;
  for (const ImageGrid& grid : grids) cells += grid.sources.size() * grid.targets.size();
  return cells > most_large ? thumbnail_side : grid_side;
}

std::string cell_element(const PageParts& parts, const GridCell& cell, int side) {
  if (!cell.pair) return "<td class=\"empty\">not walked</td>";
  const Pair& pair = parts.data().pairs[*cell.pair];
  const Picture picture = cell.original ? parts.input.source(*cell.pair) : parts.input.final_picture(*cell.pair);
  const double confidence = cell.original ? pair.source.probability : pair.probability;
  const std::string what = cell.original ? fmt::format("original, {}", pair.source.label)
                                         : fmt::format("from {} towards {}", pair.source.label, pair.target.label);
  return fmt::format("<td{}>{}<span class=\"value{}\">{}</span></td>", cell.original ? " class=\"original\"" : "",
                     image_element(picture, side, what), !cell.original && pair.outside ? " outside" : "",
                     number(confidence));
}

std::string grid_table(const PageParts& parts, const ImageGrid& grid, int side) {
  const ReportData& data = parts.data();
  const std::string network = data.runs.size() > 1 ? data.runs[grid.run].model : "";
  std::string text = network.empty() ? "" : "<h3>" + isolated(network) + "</h3>\n";
  text += fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Image grid{}\"><table class=\"grid\">\n"
      "<thead><tr><td></td>",
      network.empty() ? "" : " of " + escaped(network));
  for (const GridImage& source : grid.sources) text += fmt::format("<th scope=\"col\">{}</th>", isolated(source.label));
  text += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < grid.targets.size(); ++row) {
    stop_if(parts.choice.cancelled);
    text += fmt::format("<tr><th scope=\"row\">{}</th>", isolated(grid.targets[row].label));
    for (const GridCell& cell : grid.cells[row]) text += cell_element(parts, cell, side);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace

std::string grid_section(const PageParts& parts) {
  const std::vector<ImageGrid> grids = image_grids_of(parts.data());
  if (grids.empty()) return "";
  const bool repeats = std::any_of(grids.begin(), grids.end(), [](const ImageGrid& grid) { return grid.has_repeats; });
  std::string text = fmt::format(
      "<p>Each column starts from the image framed in it; each row is the image it was walked towards. Beneath "
      "each image: the confidence that it shows what its column started from.{}</p>\n",
      repeats ? " Where several rounds had the same pair, the first is shown." : "");
  const int side = side_of_pictures(grids);
  for (const ImageGrid& grid : grids) text += grid_table(parts, grid, side);
  return text;
}

}  // namespace blindspot::tools::report
