// The folder of a traverse, grid or demo as input of a report. Uses the public headers and document_node.h.
#pragma once

#include <string>
#include <vector>

#include "blindspot/stopping.h"
#include "tools/report/report_data.h"

namespace blindspot::tools::report {

/// Reads DIR/result.json at once and DIR/images.safetensors as it is needed; `class_names`: a file with one name a
/// line, empty: the built-in networks' names, else numbers. `triangles`: files as `triangle --json` prints them, whose
/// images are found among those of the folder by the names that stand in the file, else read. Throws Error(input)
/// naming file and key.
std::unique_ptr<ReportInput> open_folder(const std::string& folder, const std::string& class_names,
                                         const std::vector<std::string>& triangles);

}  // namespace blindspot::tools::report
