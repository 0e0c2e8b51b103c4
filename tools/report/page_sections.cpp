// The sections of a page that show images: header, walks. Uses page_sections.h.
#include "tools/report/page_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/numbers.h"
#include "tools/report/image_grid.h"
#include "tools/report/markup.h"
#include "tools/report/plots.h"
#include "tools/report/triangle_plot.h"

namespace blindspot::tools::report {

namespace {

std::string link(const char* id, const char* text) {
  return fmt::format("<a href=\"#{}\">{}</a>", id, text);
}

std::string card(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"card\"><dt>{}</dt><dd>{}</dd></div>\n", what, value);
}

/// What the walks of one network came to.
std::string cards_of_run(const ReportData& data, std::size_t run) {
  std::vector<double> final_confidence, rmse;
  std::size_t walks = 0, outside = 0;
  for (const Pair& pair : data.pairs) {
    if (pair.run != run) continue;
    if (std::isfinite(pair.probability)) final_confidence.push_back(pair.probability);
    if (std::isfinite(pair.rmse)) rmse.push_back(pair.rmse);
    ++walks;
    outside += pair.outside ? 1 : 0;
  }
  if (walks == 0) return {};
  std::string text = data.runs.size() > 1 ? "<h2 class=\"cards-of\">" + isolated(data.runs[run].model) + "</h2>\n" : "";
  text += "<dl class=\"cards\">\n" + card(std::to_string(walks), walks == 1 ? "walk" : "walks") +
          card(fmt::format("{:.3g} %", 100 * static_cast<double>(walks - outside) / static_cast<double>(walks)),
               "end within δ of the source’s confidence");
  if (!final_confidence.empty()) text += card(number(median_of(final_confidence)), "median confidence at the end");
  if (!rmse.empty()) text += card(number(median_of(rmse), 4), "median distance to the target (RMSE)");
  return text + "</dl>\n";
}

std::string cards(const ReportData& data) {
  std::string text;
  for (std::size_t run = 0; run < data.runs.size(); ++run) text += cards_of_run(data, run);
  return text;
}

/// A place of the slider: the source itself, a record, or the end.
struct Stop {
  std::string label;
  std::int64_t iteration = 0;
  double probability = unknown, target_probability = unknown;
  Picture picture;
};

std::vector<Stop> stops_of(const ReportInput& input, std::size_t number) {
  const Pair& pair = input.data().pairs[number];
  const Run& run = input.data().runs[pair.run];
  std::vector<Picture> path;
  if (input.has_path(number)) path = input.path(number);
  std::vector<Stop> stops{{"source", 0, pair.source.probability, unknown, input.source(number)}};
  for (std::size_t i = 0; i < pair.records.size(); ++i) {
    const Record& record = pair.records[i];
    const bool last = record.iteration == run.iterations;
    stops.push_back({last ? "final" : fmt::format("step {}", record.iteration), record.iteration, record.probability,
                     record.target_probability, last ? input.final_picture(number) : Picture{}});
    if (!last && i < path.size()) stops.back().picture = path[i];
  }
  // In the mode `reference` the final state is not among the records.
  if (pair.records.empty() || pair.records.back().iteration != run.iterations) {
    stops.push_back({"final", run.iterations, pair.probability, pair.target_probability, input.final_picture(number)});
  }
  return stops;
}

Json json_number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json walk_data(const std::vector<Stop>& stops, const Pair& pair, const Run& run, PictureTable& pictures) {
  const Axes axes = curve_axes(run);
  Json walk = Json::object();
  walk["plot"] = {axes.top_left.x, axes.top_left.y, axes.width, axes.height, axes.x.high};
  walk["source"] = pair.source.label;
  walk["target"] = pair.target.label;
  walk["stops"] = Json::array();
  for (const Stop& stop : stops) {
    Json entry = Json::object();
    entry["label"] = stop.label;
    entry["iteration"] = stop.iteration;
    entry["p"] = json_number(stop.probability);
    entry["q"] = json_number(stop.target_probability);
    entry["picture"] = pictures.add(stop.picture, detail_side);
    walk["stops"].push_back(std::move(entry));
  }
  return walk;
}

/// The stops that have a picture, as buttons that move the slider; at most so many.
std::string strip(const std::vector<Stop>& stops, const Json& walk) {
  constexpr std::size_t most = 9;
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < stops.size(); ++i) {
    if (walk["stops"][i]["picture"] != -1) shown.push_back(i);
  }
  std::string text = "<ol class=\"strip\">\n";
  const std::size_t count = std::min(shown.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t number = shown[count == 1 ? 0 : i * (shown.size() - 1) / (count - 1)];
    const Stop& stop = stops[number];
    text += fmt::format(
        "<li><button type=\"button\" data-stop=\"{}\"><img data-picture=\"{}\" alt=\"\"><span>{}</span>"
        "<span class=\"value\">{}</span></button></li>\n",
        number, walk["stops"][number]["picture"].get<int>(), stop.label, report::number(stop.probability));
  }
  return text + "</ol>\n";
}

std::string walk_article(PageParts& parts, std::size_t number) {
  const Pair& pair = parts.data().pairs[number];
  const Run& run = parts.data().runs[pair.run];
  const std::vector<Stop> stops = stops_of(parts.input, number);
  const Json walk = walk_data(stops, pair, run, parts.pictures);
  const std::size_t index = parts.walks.size();
  parts.walks.push_back(walk);
  const bool on_the_way =
      std::any_of(stops.begin() + 1, stops.end() - 1, [](const Stop& s) { return !s.picture.rgb.empty(); });
  const auto end_image = [&parts](const Picture& picture, const std::string& alternative, const std::string& caption) {
    return fmt::format(
        "<figure class=\"end\"><img data-picture=\"{}\" alt=\"{}\"><figcaption>{}</figcaption></figure>\n",
        parts.pictures.add(picture, detail_side), escaped(alternative), caption);
  };
  std::string text = fmt::format(
      "<article class=\"walk\" data-walk=\"{}\" id=\"pair-{}\">\n<h3>{} → {} <small>pair {}{}</small></h3>\n", index,
      number + 1, isolated(pair.source.label), isolated(pair.target.label), number + 1,
      parts.data().runs.size() > 1 ? ", " + isolated(run.model) : "");
  text += "<div class=\"stage\">\n" +
          end_image(parts.input.source(number), "Source image: " + pair.source.path,
                    "source<br>" + isolated(pair.source.label)) +
          "<figure class=\"now\"><div class=\"frame\"><img alt=\"\" data-now><p class=\"missing\" hidden>not "
          "recorded</p></div>"
          "<figcaption data-caption></figcaption></figure>\n" +
          end_image(parts.input.target(number), "Target image: " + pair.target.path,
                    "target<br>" + isolated(pair.target.label)) +
          "</div>\n";
  text += fmt::format(
      "<label class=\"scrub\"><span>Step of the walk</span><input type=\"range\" min=\"0\" max=\"{0}\" value=\"{0}\" "
      "step=\"1\" aria-label=\"Step of the walk from {1} to {2}\"></label>\n",
      stops.size() - 1, escaped(pair.source.label), escaped(pair.target.label));
  text += fmt::format("<div class=\"curve\">{}</div>\n", inline_svg(curve_figure(pair, run, "")));
  text += strip(stops, walk);
  text += fmt::format("<p class=\"notes\">{}{} of {} taken; RMSE {} and L∞ {} to the target{}{}.</p>\n</article>\n",
                      on_the_way ? ""
                                 : "The images on the way were not recorded (<code>traverse --keep-path</code> and "
                                   "<code>evaluate --detailed-pairs</code> do). ",
                      pair.accepted, counted(pair.accepted + pair.rejected, "step"), report::number(pair.rmse),
                      report::number(pair.linf), std::isfinite(pair.ssim) ? ", SSIM " + report::number(pair.ssim) : "",
                      std::isfinite(pair.lpips) ? ", LPIPS " + report::number(pair.lpips) : "");
  return text;
}

/// A line for each reason that leaves image grids out, with the networks whose they are.
std::string missing_grids(const ReportData& data) {
  std::map<std::string, std::string> networks;
  for (std::size_t run = 0; run < data.runs.size(); ++run) {
    const std::string reason = reason_without_grid(data, run);
    if (reason.empty()) continue;
    std::string& names = networks[reason];
    names += (names.empty() ? " of " : ", ") + isolated(data.runs[run].model);
  }
  std::string text;
  for (const auto& [reason, names] : networks) {
    text += fmt::format("<p class=\"notes\">No image grid{}: {}.</p>\n", data.runs.size() > 1 ? names : "", reason);
  }
  return text;
}

std::string what_is_missing(const ReportData& data) {
  std::string text;
  if (data.interrupted) {
    text += data.pairs_planned == 0 ? " The run was interrupted: only the pairs that were done are here."
                                    : fmt::format(" The run is not finished: here are {} of its {}.", data.pairs.size(),
                                                  counted(data.pairs_planned, "pair"));
  }
  // Also where all pairs are done: a run may have ended between a source's last pair and its triangles.
  if (data.sources_with_triangles != data.sources_planned) {
    text += fmt::format(" Triangles are measured for {} of its {}.", data.sources_with_triangles,
                        counted(data.sources_planned, "source"));
  }
  if (data.parts > 1) {
    text += fmt::format(" This is part {} of {} of an evaluation; <code>blindspot merge</code> joins them.", data.part,
                        data.parts);
  }
  return text;
}

}  // namespace

std::string header_section(const PageParts& parts) {
  const ReportData& data = parts.data();
  std::string models;
  for (const Run& run : data.runs) models += (models.empty() ? "" : ", ") + isolated(run.model);
  std::string navigation;
  if (!image_grids_of(data).empty()) navigation += link("grid", "Grid");
  navigation += link("walks", "Walks");
  if (!data.triangles.empty()) navigation += link("triangles", "Triangles");
  navigation += link("numbers", "Numbers") + link("pairs", "Pairs") + link("facts", "Parameters");
  return fmt::format(
      "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<p class=\"kind\">blindspot report</p>\n"
      "<h1>Blind spots of {}</h1>\n<p class=\"lead\">Each walk turns one image into another while the network stays as "
      "sure "
      "of the first one’s class.{}</p>\n{}<nav aria-label=\"Sections\">{}</nav>\n"
      "<noscript><p class=\"notice\">Sliders, triangles and thumbnails need scripts, which are part of this "
      "file.</p></noscript>\n</header>\n",
      models, what_is_missing(data), cards(data), navigation);
}

std::string walks_section(PageParts& parts) {
  std::string text = missing_grids(parts.data());
  if (parts.choice.detailed.size() < parts.data().pairs.size()) {
    text += fmt::format("<p>{} of {}; <code>--detail</code> chooses others.</p>\n", parts.choice.detailed.size(),
                        counted(parts.data().pairs.size(), "pair"));
  }
  text += "<div class=\"walks\">\n";
  for (const std::size_t pair : parts.choice.detailed) {
    stop_if(parts.choice.cancelled);
    text += walk_article(parts, pair);
  }
  return text + "</div>\n";
}

}  // namespace blindspot::tools::report
