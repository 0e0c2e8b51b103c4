// Implementation of figures.h.
#include "tools/report/figures.h"

#include <fmt/format.h>

#include "tools/json_output.h"
#include "tools/report/image_grid.h"
#include "tools/report/markup.h"
#include "tools/report/plots.h"
#include "tools/report/triangle_plot.h"

namespace blindspot::tools::report {

namespace {

class FigureFiles {
 public:
  FigureFiles(std::filesystem::path folder, const Cancelled& cancelled)
      : folder_(std::move(folder)), cancelled_(cancelled) {}

  void write(const Figure& figure) {
    stop_if(cancelled_);
    write_text(folder_ / (figure.name + ".svg"), standalone_svg(figure));
    write_png(folder_ / (figure.name + ".png"), rasterised(figure));
    ++count_;
  }

  std::size_t count() const { return count_; }

 private:
  std::filesystem::path folder_;
  const Cancelled& cancelled_;
  std::size_t count_ = 0;
};

Figure grid_figure(const ReportInput& input, const ImageGrid& grid, const std::string& ending) {
  std::vector<std::vector<CaptionedImage>> rows;
  for (const std::vector<GridCell>& cells : grid.cells) {
    rows.emplace_back();
    for (const GridCell& cell : cells) {
      if (!cell.pair) {
        rows.back().push_back({{}, {"not walked"}, false});
        continue;
      }
      const Pair& pair = input.data().pairs[*cell.pair];
      rows.back().push_back({cell.original ? input.source(*cell.pair) : input.final_picture(*cell.pair),
                             {pair.source.label, number(cell.original ? pair.source.probability : pair.probability)},
                             cell.original});
    }
  }
  const ReportData& data = input.data();
  const std::string title = data.runs.size() > 1 ? "Image grid of " + data.runs[grid.run].model : "Image grid";
  return pictures_figure(std::move(rows), "grid" + ending, title,
                         "Each column starts from the framed image, each row is the image it was walked towards; the "
                         "confidence in the column's class stands beneath.");
}

/// Source, up to nine recorded images, the end and the target.
Figure strip_figure(const ReportInput& input, std::size_t number_of_pair) {
  constexpr std::size_t most = 9;
  const Pair& pair = input.data().pairs[number_of_pair];
  std::vector<CaptionedImage> row{
      {input.source(number_of_pair), {pair.source.label, number(pair.source.probability)}, true}};
  std::vector<Picture> path;
  if (input.has_path(number_of_pair)) path = input.path(number_of_pair);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool final_state = pair.records[i].iteration == input.data().runs[pair.run].iterations;
    if (!path[i].rgb.empty() && !final_state) kept.push_back(i);
  }
  const std::size_t count = std::min(kept.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t record = kept[count == 1 ? 0 : i * (kept.size() - 1) / (count - 1)];
    row.push_back({path[record],
                   {fmt::format("step {}", pair.records[record].iteration), number(pair.records[record].probability)},
                   false});
  }
  row.push_back({input.final_picture(number_of_pair), {"final", number(pair.probability)}, false});
  row.push_back({input.target(number_of_pair), {"target: " + pair.target.label}, true});
  return pictures_figure({std::move(row)}, fmt::format("strip-{}", number_of_pair + 1), "Images of a walk",
                         fmt::format("From {} to {}, with the confidence in the source's class beneath each image.",
                                     pair.source.label, pair.target.label));
}

}  // namespace

std::size_t write_figures(const ReportInput& input, const PageChoice& choice, const std::filesystem::path& folder) {
  FigureFiles files(folder, choice.cancelled);
  const ReportData& data = input.data();
  const std::vector<std::string> endings = figure_endings(data);
  for (const ImageGrid& grid : image_grids_of(data)) files.write(grid_figure(input, grid, endings.at(grid.run)));
  for (const std::size_t i : choice.detailed) {
    const Pair& pair = data.pairs[i];
    files.write(curve_figure(pair, data.runs[pair.run], fmt::format("curves-{}", i + 1)));
    files.write(strip_figure(input, i));
    if (!has_width(pair)) continue;
    files.write(width_surface_figure(pair, fmt::format("width-{}", i + 1)));
    files.write(width_lines_figure(pair, data.runs[pair.run], fmt::format("width-lines-{}", i + 1)));
  }
  for (std::size_t i = 0; i < data.triangles.size(); ++i) {
    const Triangle& triangle = data.triangles[i];
    files.write(triangle_figure(triangle, input.corners(i), triangle.p_source - data.runs[triangle.run].delta,
                                fmt::format("triangle-{}", i + 1)));
  }
  for (const Histogram& histogram : histograms_of(data)) files.write(histogram_figure(histogram));
  return files.count();
}

}  // namespace blindspot::tools::report
