// Implementation of image_grid.h.
#include "tools/report/image_grid.h"

#include <algorithm>

namespace blindspot::tools::report {

namespace {

/// Its place among the images; added behind them where it is new.
std::size_t place_of(std::vector<GridImage>& images, const Side& side) {
  const auto found =
      std::find_if(images.begin(), images.end(), [&side](const GridImage& image) { return image.path == side.path; });
  if (found != images.end()) return static_cast<std::size_t>(found - images.begin());
  images.push_back({side.path, side.label});
  return images.size() - 1;
}

/// A grid has the same images as sources and targets; then both go in the order of the sources.
void order_targets_as_sources(ImageGrid& grid) {
  std::vector<GridImage> ordered;
  for (const GridImage& source : grid.sources) {
    for (const GridImage& target : grid.targets) {
      if (target.path == source.path) ordered.push_back(target);
    }
  }
  if (ordered.size() == grid.targets.size()) grid.targets = ordered;
}

}  // namespace

std::optional<ImageGrid> image_grid_of(const ReportData& data) {
  if (data.runs.size() != 1 || data.pairs.size() > most_grid_side * most_grid_side) return std::nullopt;
  ImageGrid grid;
  for (const Pair& pair : data.pairs) {
    place_of(grid.sources, pair.source);
    place_of(grid.targets, pair.target);
  }
  if (std::max(grid.sources.size(), grid.targets.size()) > most_grid_side) return std::nullopt;
  order_targets_as_sources(grid);
  grid.cells.assign(grid.targets.size(), std::vector<GridCell>(grid.sources.size()));
  for (std::size_t i = 0; i < data.pairs.size(); ++i) {
    const std::size_t column = place_of(grid.sources, data.pairs[i].source);
    GridCell& cell = grid.cells[place_of(grid.targets, data.pairs[i].target)][column];
    if (cell.pair) return std::nullopt;
    cell.pair = i;
    for (std::size_t row = 0; row < grid.targets.size(); ++row) {
      GridCell& own = grid.cells[row][column];
      if (grid.targets[row].path == grid.sources[column].path && !own.pair) own = {i, true};
    }
  }
  return grid;
}

}  // namespace blindspot::tools::report
