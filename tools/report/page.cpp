// Implementation of page.h.
#include "tools/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "tools/report/assets.h"
#include "tools/report/colours.h"
#include "tools/report/markup.h"
#include "tools/report/page_sections.h"

namespace blindspot::tools::report {

namespace {

/// Inside a script element only an end tag or a comment could end the text; no `<` is left that could begin one.
std::string data_text(const Json& data) {
  std::string text;
  for (const char character : data.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (character == '<') {
      text += "\\u003c";
    } else {
      text += character;
    }
  }
  return text;
}

Json data_of(const PageParts& parts) {
  Json data = Json::object();
  data["scale"] = Json::array();
  for (const Rgb& colour : confidence_scale()) data["scale"].push_back(hexadecimal(colour));
  data["walks"] = parts.walks;
  data["triangles"] = parts.triangles;
  data["pictures"] = parts.pictures.addresses();
  return data;
}

}  // namespace

std::string section(const std::string& id, const std::string& heading, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-heading\">\n<h2 id=\"{0}-heading\">{1}</h2>\n{2}</section>\n", id,
      heading, body);
}

std::string figure_element(const Figure& figure, const std::string& caption, const std::string& kind) {
  return fmt::format("<figure class=\"{}\">\n{}<figcaption>{}</figcaption>\n</figure>\n", kind, inline_svg(figure),
                     caption);
}

std::vector<std::size_t> usual_detailed_pairs(const ReportInput& input) {
  const std::vector<Pair>& pairs = input.data().pairs;
  bool any_path = false;
  for (std::size_t i = 0; i < pairs.size() && !any_path; ++i) any_path = input.has_path(i);
  const std::size_t share = most_detailed_pairs / std::max<std::size_t>(input.data().runs.size(), 1);
  std::vector<std::size_t> chosen, of_run(input.data().runs.size());
  for (std::size_t i = 0; i < pairs.size() && chosen.size() < most_detailed_pairs; ++i) {
    // Where some paths were kept, those are the pairs that were chosen when the walks were made.
    if (input.has_path(i) != any_path || of_run[pairs[i].run] >= std::max<std::size_t>(share, 1)) continue;
    ++of_run[pairs[i].run];
    chosen.push_back(i);
  }
  return chosen;
}

std::string page_text(const ReportInput& input, const PageChoice& choice) {
  PageParts parts{input, choice, {}};
  const std::string header = header_section(parts);
  std::string main;
  main += section("grid", "Every image turned into every other", grid_section(parts));
  main += section("walks", "Walks, step by step", walks_section(parts));
  main += section("triangles", "Between two blind spots", triangles_section(parts));
  main += section("widths", "How wide the path is", widths_section(parts));
  main += section("numbers", "Over all pairs", numbers_section(parts));
  main += section("pairs", "Every pair", pairs_section(parts));
  main += section("facts", "How this was made", facts_section(parts));
  const std::string policy =
      fmt::format("default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
                  policy_hash(page_style), policy_hash(page_script));
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>{} – blindspot report</title>\n<style>",
      policy, escaped(input.data().title));
  page += page_style;
  page += "</style>\n</head>\n<body>\n" + header + "<main id=\"main\">\n" + main + "</main>\n";
  page += R"(<script type="application/json" id="data">)" + data_text(data_of(parts)) + "</script>\n<script>";
  page += page_script;
  return page + "</script>\n</body>\n</html>\n";
}

}  // namespace blindspot::tools::report
