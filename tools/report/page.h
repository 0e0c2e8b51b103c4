// The page of a report: one HTML file that needs nothing else. Uses report_data.h, plots.h and the embedded assets.
#pragma once

#include <string>
#include <vector>

#include "blindspot/stopping.h"
#include "tools/report/report_data.h"

namespace blindspot::tools::report {

inline constexpr std::size_t most_detailed_pairs = 20;

struct PageChoice {
  std::vector<std::size_t> detailed;  ///< pairs that are shown step by step, in order
  Cancelled cancelled;
};

/// The first pairs of each network whose path was kept, else the first; at most `most_detailed_pairs`, shared evenly.
std::vector<std::size_t> usual_detailed_pairs(const ReportInput& input);

/// The whole file. Throws Error(input) where an image cannot be read, and Stopped.
std::string page_text(const ReportInput& input, const PageChoice& choice);

}  // namespace blindspot::tools::report
