// Implementation of image_grid.h.
#include "tools/report/image_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

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

bool is_too_large(const ImageGrid& grid) {
  return std::max(grid.sources.size(), grid.targets.size()) > most_grid_side;
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

/// Puts a pair into its cell. False if that round walked it already.
bool add_pair(ImageGrid& grid, const ReportData& data, std::size_t number) {
  const Pair& pair = data.pairs[number];
  const std::size_t column = place_of(grid.sources, pair.source);
  GridCell& cell = grid.cells[place_of(grid.targets, pair.target)][column];
  if (cell.pair && data.pairs[*cell.pair].round == pair.round) return false;
  grid.has_repeats = grid.has_repeats || cell.pair;
  if (!cell.pair || pair.round < data.pairs[*cell.pair].round) cell.pair = number;
  return true;
}

/// Sources themselves, where nothing was walked from one to itself.
void add_originals(ImageGrid& grid, const ReportData& data) {
  for (std::size_t i = 0; i < data.pairs.size(); ++i) {
    if (data.pairs[i].run != grid.run) continue;
    const std::size_t column = place_of(grid.sources, data.pairs[i].source);
    for (std::size_t row = 0; row < grid.targets.size(); ++row) {
      GridCell& own = grid.cells[row][column];
      if (grid.targets[row].path == grid.sources[column].path && !own.pair) own = {i, true};
    }
  }
}

/// Its sides, up to the first that is too many.
ImageGrid sides_of(const ReportData& data, std::size_t run) {
  ImageGrid grid;
  grid.run = run;
  for (const Pair& pair : data.pairs) {
    if (pair.run != run) continue;
    place_of(grid.sources, pair.source);
    place_of(grid.targets, pair.target);
    if (is_too_large(grid)) break;
  }
  return grid;
}

/// Puts all pairs of its network in. False where a round walked one twice.
bool fill(ImageGrid& grid, const ReportData& data) {
  order_targets_as_sources(grid);
  grid.cells.assign(grid.targets.size(), std::vector<GridCell>(grid.sources.size()));
  for (std::size_t i = 0; i < data.pairs.size(); ++i) {
    if (data.pairs[i].run == grid.run && !add_pair(grid, data, i)) return false;
  }
  add_originals(grid, data);
  return true;
}

struct GridOrReason {
  std::optional<ImageGrid> grid;
  std::string reason;  ///< why there is none; empty also where no pairs were walked
};

GridOrReason image_grid_of(const ReportData& data, std::size_t run) {
  ImageGrid grid = sides_of(data, run);
  if (grid.sources.empty()) return {};
  if (is_too_large(grid)) {
    return {std::nullopt, fmt::format("it is drawn for {} sources and targets at the most", most_grid_side)};
  }
  if (!fill(grid, data)) return {std::nullopt, "a pair was walked more than once, and a cell shows one walk"};
  return {std::move(grid), {}};
}

}  // namespace

std::vector<ImageGrid> image_grids_of(const ReportData& data) {
  std::vector<ImageGrid> grids;
  for (std::size_t run = 0; run < data.runs.size(); ++run) {
    if (GridOrReason found = image_grid_of(data, run); found.grid) grids.push_back(*std::move(found.grid));
  }
  return grids;
}

std::string reason_without_grid(const ReportData& data, std::size_t run) {
  return image_grid_of(data, run).reason;
}

}  // namespace blindspot::tools::report
