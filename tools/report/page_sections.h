// The parts of a report's page, each as a piece of HTML. Uses report_data.h and picture_table.h.
#pragma once

#include <string>

#include "tools/json_output.h"
#include "tools/report/figure.h"
#include "tools/report/page.h"
#include "tools/report/picture_table.h"

namespace blindspot::tools::report {

/// What sections share: where everything comes from, and what scripts will need.
struct PageParts {
  const ReportInput& input;
  const PageChoice& choice;
  PictureTable pictures;
  Json walks = Json::array(), triangles = Json::array();

  const ReportData& data() const { return input.data(); }
};

std::string header_section(const PageParts& parts);
/// One a network; "" where no network's pairs are a grid, or all are too many for one.
std::string grid_section(const PageParts& parts);
std::string walks_section(PageParts& parts);
std::string triangles_section(PageParts& parts);
std::string widths_section(const PageParts& parts);
std::string numbers_section(const PageParts& parts);  ///< tables and histograms
std::string pairs_section(PageParts& parts);
std::string facts_section(const PageParts& parts);

/// A section with its heading; "" for an empty body.
std::string section(const std::string& id, const std::string& heading, const std::string& body);
std::string figure_element(const Figure& figure, const std::string& caption, const std::string& kind);

}  // namespace blindspot::tools::report
