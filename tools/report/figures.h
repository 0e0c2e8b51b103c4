// The plots of a report as files. Uses page.h and plots.h.
#pragma once

#include <filesystem>

#include "tools/report/page.h"

namespace blindspot::tools::report {

/// Each as NAME.svg and NAME.png into `folder`, which must exist: grid, with several networks grid-NETWORK; for every
/// detailed pair curves-N, strip-N and, where there are widths, width-N and width-lines-N (N as in the page's table);
/// triangle-N; histogram-NAME, with several networks histogram-NAME-NETWORK. Returns how many. Throws Error(input)
/// where one cannot be written, and Stopped.
std::size_t write_figures(const ReportInput& input, const PageChoice& choice, const std::filesystem::path& folder);

}  // namespace blindspot::tools::report
