// The paper's image grid, for whatever pairs there are: rows are targets, columns are sources. Uses report_data.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/report/report_data.h"

namespace blindspot::tools::report {

struct GridImage {
  std::string path, label;
};

struct GridCell {
  std::optional<std::size_t> pair;  ///< where its picture and its numbers are; unset: not walked
  bool original = false;            ///< the source of that pair itself, on the diagonal
};

struct ImageGrid {
  std::vector<GridImage> sources, targets;
  std::vector<std::vector<GridCell>> cells;  ///< [target][source]
};

/// Unset for several networks, where a pair was walked more than once, and beyond `most_grid_side` a side: then a grid
/// would show little.
inline constexpr std::size_t most_grid_side = 12;
std::optional<ImageGrid> image_grid_of(const ReportData& data);

}  // namespace blindspot::tools::report
