// The paper's image grid, for whatever pairs there are: rows are targets, columns are sources. Uses report_data.h.
#pragma once

#include <cstddef>
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

/// Of one network.
struct ImageGrid {
  std::size_t run = 0;
  bool has_repeats = false;  ///< pairs were walked in several rounds: the first is shown
  std::vector<GridImage> sources, targets;
  std::vector<std::vector<GridCell>> cells;  ///< [target][source]
};

/// One a network, in their order; none where a pair was walked more than once in a round, and beyond `most_grid_side` a
/// side: then a grid would show little.
inline constexpr std::size_t most_grid_side = 12;
std::vector<ImageGrid> image_grids_of(const ReportData& data);

/// Why a network of which pairs were walked has no grid; empty where it has one.
std::string reason_without_grid(const ReportData& data, std::size_t run);

}  // namespace blindspot::tools::report
