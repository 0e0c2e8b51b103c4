// `blindspot export`: the pairs of a run database as CSV. Uses the public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "blindspot/evaluation.h"
#include "blindspot/hull.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/output_folder.h"
#include "tools/table_formats.h"

namespace blindspot::tools {

namespace {

/// The shortest text that reads back as the same number; empty for none.
template <typename Number>
std::string field(Number value) {
  return std::isnan(value) ? std::string() : fmt::format("{}", value);
}

std::string field(const std::optional<double>& value) {
  return value ? field(*value) : std::string();
}

struct Names {
  std::string model;
  std::vector<std::string> images;

  const std::string& image(std::int64_t number) const { return images.at(static_cast<std::size_t>(number)); }
};

std::string pair_line(const Names& names, const EvaluatedPair& pair) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", names.model,
                     names.image(pair.source), pair.round, names.image(pair.target), pair.source_class,
                     pair.target_class, field(pair.source_probability), field(pair.target_image_probability),
                     field(pair.start_probability), field(pair.probability), field(pair.target_probability),
                     field(pair.probability_8bit), pair.outside ? 1 : 0, pair.accepted, pair.rejected, field(pair.l2),
                     field(pair.rmse), field(pair.linf), field(pair.ssim), field(pair.lpips));
}

std::string triangle_line(const Names& names, const EvaluatedHull& hull, const EvaluationParameters& parameters) {
  std::vector<TrianglePoint> points;
  const std::vector<std::array<double, 2>> grid = triangle_grid(parameters.hull_divisions, parameters.walk.mode);
  if (grid.size() != hull.probabilities.size()) {
    throw Error(ErrorKind::input, "a triangle has another number of points than its grid; the run database is damaged");
  }
  for (std::size_t i = 0; i < grid.size(); ++i) points.push_back({grid[i][0], grid[i][1], hull.probabilities[i]});
  const HullMetrics metrics = hull_metrics(points);
  std::string text = fmt::format("{},{},{},{},{},{},{}", names.model, names.image(hull.source), hull.source_class,
                                 hull.first_round, hull.second_round, field(metrics.p_source), field(metrics.mean));
  for (const double fraction : metrics.fractions) text += "," + field(fraction);
  return text + fmt::format(",{},{}\n", field(metrics.edge_mean), field(metrics.edge_minimum));
}

std::string width_lines(const Names& names, const EvaluatedPair& pair) {
  std::string text;
  for (const EvaluatedRecord& record : pair.records) {
    for (const WidthRadius& radius : record.width) {
      text += fmt::format("{},{},{},{},{},{},{},{}\n", names.model, names.image(pair.source), pair.round,
                          names.image(pair.target), record.iteration, field(radius.radius), field(radius.q05),
                          field(radius.q95));
    }
  }
  return text;
}

/// What the rows are of.
enum class Rows : std::uint8_t { pairs, triangles, widths };

Rows rows_of(bool triangles, bool widths) {
  if (triangles) return Rows::triangles;
  return widths ? Rows::widths : Rows::pairs;
}

const char* heading_of(Rows rows) {
  switch (rows) {
    case Rows::triangles:
      return "model,source,source_class,first_round,second_round,p_source,mean,fraction_0.0,fraction_0.1,fraction_0.2,"
             "fraction_0.3,edge_mean,edge_minimum\n";
    case Rows::widths:
      return "model,source,round,target,iteration,radius,q05,q95\n";
    case Rows::pairs:
      break;
  }
  return "model,source,round,target,source_class,target_class,source_probability,target_image_probability,"
         "start_probability,probability,target_probability,probability_8bit,outside,accepted,rejected,l2,rmse,linf,"
         "ssim,lpips\n";
}

std::string csv_of(const RunDatabase& database, Rows rows) {
  std::string text = heading_of(rows);
  const EvaluationParameters parameters = database.parameters();
  Names names;
  for (const EvaluatedImage& image : database.images()) names.images.push_back(csv_field(image.name));
  for (const EvaluatedModel& model : database.models()) {
    names.model = csv_field(model.information.name);
    if (rows == Rows::triangles) {
      for (const EvaluatedHull& hull : database.hulls(model.number)) text += triangle_line(names, hull, parameters);
      continue;
    }
    for (const EvaluatedPair& pair : database.pairs(model.number)) {
      text += rows == Rows::widths ? width_lines(names, pair) : pair_line(names, pair);
    }
  }
  return text;
}

/// The images that the target selection chooses, as the first network sees them, in seeded order. Returns their number.
std::size_t write_targets(const RunDatabase& database, const std::string& folder) {
  OutputFolder output(folder, false, false);
  const std::vector<EvaluatedImage> images = database.images();
  std::size_t count = 0;
  for (const std::int64_t number : database.selected_targets(0)) {
    const std::filesystem::path name = images.at(static_cast<std::size_t>(number)).name;
    const std::vector<std::uint8_t> png = database.input_png(0, number);
    write_png(output.path() / fmt::format("{:04}-{}.png", count, name.stem().string()),
              decode_picture(png, name.string()));
    ++count;
  }
  output.commit();
  return count;
}

}  // namespace

int run_export(const Arguments& arguments, const StopSignals& /*stop*/) {
  std::string path;
  bool triangles = false;
  bool widths = false;
  bool targets = false;
  OutputOptions output;
  PrintingOptions printing;
  CommandLine line("export", "The pairs of a run database as CSV, a row a pair, by network, source and round.",
                   "blindspot export run.db -o pairs.csv");
  line.argument("RUN.db", path, "A run database");
  line.flag("--triangles", "A row a triangle of source and two rounds instead", triangles);
  line.flag("--widths", "A row a distance of a record that has a path width (evaluate's --width) instead", widths);
  line.flag(
      "--targets",
      "Instead, into a folder, PNG files of the first image of each class that every network classifies right with "
      "a probability above 0.6",
      targets);
  add_output_options(line, output, "FILE.csv", "The file to write");
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  if (static_cast<int>(targets) + static_cast<int>(triangles) + static_cast<int>(widths) > 1) {
    throw Error(ErrorKind::usage, "--targets, --triangles and --widths exclude each other");
  }
  if (targets && output.overwrite) {
    throw Error(ErrorKind::usage, "--overwrite: replaces a file; --targets needs a folder that is new or empty");
  }
  std::error_code error;
  if (std::filesystem::equivalent(path, output.path, error)) {
    throw Error(ErrorKind::usage, fmt::format("-o {}: is the run database itself; name another file", output.path));
  }
  if (!targets) check_output_file(output.path, output.overwrite);
  const RunDatabase database = RunDatabase::open(path);
  if (widths && !database.parameters().width) {
    throw Error(ErrorKind::input, fmt::format("{}: was begun without --width, so there are no path widths", path));
  }
  std::size_t rows = 0;
  if (targets) {
    rows = write_targets(database, output.path);
  } else {
    const std::string text = csv_of(database, rows_of(triangles, widths));
    write_output_file(output.path, text);
    rows = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
  }
  if (!printing.json) {
    print(fmt::format("{} written to {}\n", counted(rows, targets ? "image" : "row"), output.path));
    return 0;
  }
  Json result = document("export");
  result["database"] = path;
  result["output"] = output.path;
  result["rows"] = rows;
  result["content_sha256"] = database.content_sha256();
  print(to_text(result));
  return 0;
}

}  // namespace blindspot::tools
