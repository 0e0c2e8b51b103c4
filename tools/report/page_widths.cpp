// The widths of a page. Uses page_sections.h and plots.h.
#include <fmt/format.h>

#include "tools/report/markup.h"
#include "tools/report/page_sections.h"
#include "tools/report/plots.h"

namespace blindspot::tools::report {

std::string widths_section(const PageParts& parts) {
  std::string text;
  for (const std::size_t number : parts.choice.detailed) {
    const Pair& pair = parts.data().pairs[number];
    if (!has_width(pair)) continue;
    text += fmt::format("<article class=\"width\">\n<h3>{} → {} <small>pair {}{}</small></h3>\n",
                        isolated(pair.source.label), isolated(pair.target.label), number + 1,
                        parts.data().runs.size() > 1 ? ", " + isolated(parts.data().runs[pair.run].model) : "");
    text += figure_element(width_surface_figure(pair, ""),
                           "5 % quantile of the confidence at a distance to either side of the path", "surface") +
            figure_element(width_lines_figure(pair, parts.data().runs[pair.run], ""),
                           "The same against the iteration, a line a distance", "lines") +
            "</article>\n";
  }
  if (text.empty()) return "";
  return "<p>Around each recorded image, random directions at right angles to the path: how sure the network stays of "
         "the "
         "source’s class at a distance from it.</p>\n<div class=\"widths\">\n" +
         text + "</div>\n";
}

}  // namespace blindspot::tools::report
