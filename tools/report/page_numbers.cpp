// The sections of a page that show numbers: tables, histograms, the table of all pairs, parameters. Uses
// page_sections.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/report/markup.h"
#include "tools/report/page_sections.h"
#include "tools/report/plots.h"

namespace blindspot::tools::report {

namespace {

std::string scrolling(const std::string& label, const std::string& table) {
  return fmt::format("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</div>\n", label, table);
}

std::string mean_and_deviation(const NamedValue& value, int decimals) {
  if (!std::isfinite(value.mean)) return "–";
  return number(value.mean, decimals) + " ± " + number(value.deviation, decimals);
}

std::string paper_table(const std::vector<TableRow>& rows, const std::string& caption,
                        std::vector<NamedValue> TableRow::*values, int decimals) {
  // A network may have no values yet: headings come from one that has, and its own row holds dashes.
  const auto full =
      std::find_if(rows.begin(), rows.end(), [values](const TableRow& row) { return !(row.*values).empty(); });
  if (full == rows.end()) return "";
  const std::vector<NamedValue>& headings = (*full).*values;
  std::string text = "<table><caption>" + caption + "</caption>\n<thead><tr><th scope=\"col\">network</th>";
  for (const NamedValue& value : headings) text += "<th scope=\"col\">" + escaped(value.name) + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const TableRow& row : rows) {
    text += "<tr><th scope=\"row\">" + isolated(row.model) + "</th>";
    for (const NamedValue& value : row.*values) text += "<td>" + mean_and_deviation(value, decimals) + "</td>";
    for (std::size_t i = (row.*values).size(); i < headings.size(); ++i) text += "<td>–</td>";
    text += "</tr>\n";
  }
  return scrolling(caption, text + "</tbody></table>");
}

std::string titled(const Histogram& histogram) {
  return histogram.title + (histogram.network.empty() ? "" : ", " + isolated(histogram.network));
}

/// What there is to say over the pairs of a traverse or grid, which is no evaluation.
std::string summary_table(const ReportData& data) {
  std::string text =
      "<table><caption>Means over the pairs</caption>\n<thead><tr><th scope=\"col\">measure</th>"
      "<th scope=\"col\">mean</th><th scope=\"col\">sd</th><th scope=\"col\">least</th>"
      "<th scope=\"col\">median</th><th scope=\"col\">most</th></tr></thead>\n<tbody>\n";
  for (const Histogram& histogram : histograms_of(data)) {
    const auto count = static_cast<double>(histogram.values.size());
    double sum = 0, squares = 0, least = histogram.values[0], most = histogram.values[0];
    for (const double value : histogram.values) {
      sum += value;
      least = std::min(least, value);
      most = std::max(most, value);
    }
    for (const double value : histogram.values) squares += (value - sum / count) * (value - sum / count);
    text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        titled(histogram), number(sum / count),
                        number(count > 1 ? std::sqrt(squares / (count - 1)) : unknown), number(least),
                        number(median_of(histogram.values)), number(most));
  }
  return scrolling("Means over the pairs", text + "</tbody></table>");
}

struct Column {
  const char* heading;
  const char* title;
  double (*value)(const Pair&);
};

constexpr std::array<Column, 8> columns{{
    {"p₀", "Confidence in the source’s class at the source", [](const Pair& pair) { return pair.source.probability; }},
    {"p", "Confidence in the source’s class at the end", [](const Pair& pair) { return pair.probability; }},
    {"p target", "Confidence in the target’s class at the end",
     [](const Pair& pair) { return pair.target_probability; }},
    {"RMSE", "Root mean square distance to the target", [](const Pair& pair) { return pair.rmse; }},
    {"L∞", "Largest difference of a value to the target", [](const Pair& pair) { return pair.linf; }},
    {"SSIM", "Structural similarity to the target", [](const Pair& pair) { return pair.ssim; }},
    {"LPIPS", "Perceptual distance to the target", [](const Pair& pair) { return pair.lpips; }},
    {"steps", "Steps taken", [](const Pair& pair) { return static_cast<double>(pair.accepted); }},
}};

std::string thumbnail(int picture) {
  return fmt::format(R"(<img data-picture="{}" alt="">)", picture);
}

/// Thumbnails of sources and targets, which come again in many pairs.
class Thumbnails {
 public:
  explicit Thumbnails(PageParts& parts) : parts_(parts) {}

  std::string of(std::size_t pair) {
    const Pair& ends = parts_.data().pairs[pair];
    const int source = remembered(ends.run, ends.source.path, [this, pair] { return parts_.input.source(pair); });
    const int target = remembered(ends.run, ends.target.path, [this, pair] { return parts_.input.target(pair); });
    const int end = parts_.pictures.add(parts_.input.final_picture(pair), thumbnail_side);
    return thumbnail(source) + thumbnail(end) + thumbnail(target);
  }

 private:
  template <typename Read>
  int remembered(std::size_t run, const std::string& path, const Read& read) {
    const auto [found, is_new] = numbers_.try_emplace({run, path}, -1);
    if (is_new) found->second = parts_.pictures.add(read(), thumbnail_side);
    return found->second;
  }

  PageParts& parts_;
  std::map<std::pair<std::size_t, std::string>, int> numbers_;
};

std::string side_text(const Side& side) {
  return fmt::format("{}<small>{}</small>", isolated(side.label), isolated(side.path));
}

/// Measures that no pair has need no column.
std::vector<const Column*> columns_with_values(const ReportData& data) {
  std::vector<const Column*> shown;
  for (const Column& column : columns) {
    const bool any = std::any_of(data.pairs.begin(), data.pairs.end(),
                                 [&column](const Pair& pair) { return std::isfinite(column.value(pair)); });
    if (any) shown.push_back(&column);
  }
  return shown;
}

/// The number of a pair, which leads to its walk where that is shown.
std::string pair_number(const PageParts& parts, std::size_t number_of_pair) {
  const std::vector<std::size_t>& detailed = parts.choice.detailed;
  if (std::find(detailed.begin(), detailed.end(), number_of_pair) == detailed.end()) {
    return std::to_string(number_of_pair + 1);
  }
  return fmt::format("<a href=\"#pair-{0}\">{0}</a>", number_of_pair + 1);
}

std::string pair_row(const PageParts& parts, Thumbnails& thumbnails, const std::vector<const Column*>& shown,
                     std::size_t number_of_pair) {
  const Pair& pair = parts.data().pairs[number_of_pair];
  std::string text =
      fmt::format("<tr><td data-sort=\"{}\">{}</td>", number_of_pair + 1, pair_number(parts, number_of_pair));
  if (parts.data().runs.size() > 1)
    text += "<td class=\"words\">" + isolated(parts.data().runs[pair.run].model) + "</td>";
  text += fmt::format(R"(<td class="thumbnails">{}</td><td class="words">{}</td><td class="words">{}</td>)",
                      thumbnails.of(number_of_pair), side_text(pair.source), side_text(pair.target));
  for (const Column* column : shown) {
    const double value = column->value(pair);
    const bool whole = column == &columns.back();
    text += fmt::format(
        "<td data-sort=\"{}\">{}{}</td>", std::isfinite(value) ? exact_number(value) : "", number(value, whole ? 0 : 4),
        column->heading == std::string_view("p") && pair.outside ? " <span class=\"outside\">outside</span>" : "");
  }
  return text + "</tr>\n";
}

std::string sortable(const std::string& heading, const std::string& title) {
  return fmt::format(R"(<th scope="col"{}><button type="button" data-sorts>{}</button></th>)",
                     title.empty() ? "" : " title=\"" + title + "\"", heading);
}

std::string facts_table(const Run& run) {
  std::string text = fmt::format("<table class=\"facts\"><caption>{}</caption>\n<tbody>\n", isolated(run.model));
  for (const auto& [name, value] : run.facts) {
    text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), isolated(value));
  }
  return scrolling("Parameters of " + escaped(run.model), text + "</tbody></table>");
}

}  // namespace

std::string numbers_section(const PageParts& parts) {
  const ReportData& data = parts.data();
  std::string text;
  if (data.table.empty()) {
    text = summary_table(data);
  } else {
    text =
        paper_table(data.table, "Final images against their targets, mean ± sd over pairs", &TableRow::distances, 3) +
        paper_table(data.table, "Confidence over the triangles, mean ± sd over sources", &TableRow::confidences, 2);
  }
  std::string network;
  text += "<div class=\"histograms\">\n";
  for (const Histogram& histogram : histograms_of(data)) {
    // Each network's begin on a row of their own.
    if (!network.empty() && histogram.network != network) text += "</div>\n<div class=\"histograms\">\n";
    network = histogram.network;
    text += figure_element(histogram_figure(histogram), titled(histogram), "histogram");
  }
  return text + "</div>\n";
}

std::string pairs_section(PageParts& parts) {
  const std::vector<const Column*> shown = columns_with_values(parts.data());
  std::string table = R"(<table class="pairs" id="pair-table"><thead><tr>)" + sortable("#", "");
  if (parts.data().runs.size() > 1) table += R"(<th scope="col" class="words">network</th>)";
  table +=
      "<th scope=\"col\" class=\"words\">source, end, target</th><th scope=\"col\" class=\"words\">source</th><th "
      "scope=\"col\" class=\"words\">target</th>";
  for (const Column* column : shown) table += sortable(column->heading, column->title);
  table += "</tr></thead>\n<tbody>\n";
  Thumbnails thumbnails(parts);
  for (std::size_t i = 0; i < parts.data().pairs.size(); ++i) {
    stop_if(parts.choice.cancelled);
    table += pair_row(parts, thumbnails, shown, i);
  }
  return scrolling("Every pair", table + "</tbody></table>");
}

std::string facts_section(const PageParts& parts) {
  const ReportData& data = parts.data();
  std::string text;
  if (!data.left_out.empty()) {
    text += "<h3>Left out</h3>\n<ul class=\"left-out\">\n";
    for (const auto& [name, reason] : data.left_out)
      text += "<li>" + isolated(name) + ": " + isolated(reason) + "</li>\n";
    text += "</ul>\n";
  }
  text += "<div class=\"fact-tables\">\n";
  for (const Run& run : data.runs) text += facts_table(run);
  return text + fmt::format(
                    "</div>\n<p class=\"notes\">From {}, made by blindspot {}. The method is Level Set Traversal "
                    "(Balasubramanian, Sriramanan, Sadasivan and Feizi, NeurIPS 2023, arXiv 2310.19889). Pictures up "
                    "to {} pixels a side are exact, larger ones are JPEG; every number comes from the unrounded "
                    "images.</p>\n",
                    isolated(data.origin), escaped(data.version), largest_exact_side);
}

}  // namespace blindspot::tools::report
