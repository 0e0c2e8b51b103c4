// The run database of an evaluation as input of a report. Uses the public headers.
#pragma once

#include <string>

#include "tools/report/report_data.h"

namespace blindspot::tools::report {

/// Reads a run database, finished or not; pictures are read as they are needed. After `choose` it has a triangle with
/// the walk of each chosen pair, where there is one; two chosen walks of one source share theirs. `class_names` as
/// ClassLabels has it, put before the names that the database holds. Throws Error(input).
std::unique_ptr<ReportInput> open_database(const std::string& path, const std::string& class_names);

}  // namespace blindspot::tools::report
