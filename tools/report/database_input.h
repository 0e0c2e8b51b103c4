// The run database of an evaluation as input of a report. Uses the public headers.
#pragma once

#include <string>

#include "tools/report/report_data.h"

namespace blindspot::tools::report {

inline constexpr std::size_t most_triangles = 12;

/// Reads a run database, finished or not; pictures are read as they are needed. After `choose` it has the first
/// triangle of each chosen pair's source, `most_triangles` at most. `class_names` as ClassLabels has it, put before the
/// names that the database holds. Throws Error(input).
std::unique_ptr<ReportInput> open_database(const std::string& path, const std::string& class_names);

}  // namespace blindspot::tools::report
