// Rows of the paper's tables as text, Markdown, LaTeX, CSV and JSON. Uses evaluation.h of the public interface and
// json_output.h.
#pragma once

#include <string>
#include <vector>

#include "blindspot/evaluation.h"
#include "tools/json_output.h"

namespace blindspot::tools {

enum class TableFormat : std::uint8_t { text, markdown, latex, csv, json };

/// Throws Error(usage) naming the five.
TableFormat table_format_from(const std::string& text);

/// Tables 1 (three decimals) and 2 (two), one behind the other. Text: columns by " & ", mean ± deviation. CSV and JSON
/// are unrounded.
std::string format_table(const std::vector<TableRow>& rows, TableFormat format);

/// A field of a CSV file, in quotes where it needs them.
std::string csv_field(const std::string& text);

}  // namespace blindspot::tools
