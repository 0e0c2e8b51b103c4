// `blindspot simplex`: confidences over the convex hull of a source and any number of targets. Uses the public headers
// and the shared pieces of tools/.
#include <fmt/format.h>

#include "tools/commands.h"
#include "tools/measure_command.h"
#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

struct SimplexCommand {
  MeasureRequest request;
  std::string source;
  std::vector<std::string> targets;
  SimplexOptions options;
};

bool parse(const Arguments& arguments, SimplexCommand& command) {
  CommandLine line(
      "simplex",
      "Confidence in the source's class over the convex hull of a source and any number of targets, used "
      "as they are given: one target is a path, two a triangle, three a tetrahedron. A regular grid up to "
      "--points points; beyond, points drawn uniformly, with confidence intervals.",
      "blindspot simplex resnet50.safetensors dog.jpg out/final-0-0.png out/final-0-1.png out/final-0-2.png");
  add_model_argument(line, command.request.model);
  line.argument("S", command.source, "Source: JPEG, PNG, or .safetensors with a tensor `image`");
  line.arguments("B", command.targets, "Targets, for instance what walks ended at");
  line.heading("Simplex");
  line.option("--divisions", "N", "Divisions of each edge of the grid (10)", [&command](const std::string& text) {
    command.options.divisions = static_cast<int>(read_count("--divisions", text, 1, 10'000));
  });
  line.option("--points", "N", "Largest grid that is made (1000)", [&command](const std::string& text) {
    command.options.point_budget = read_count("--points", text, 1, 100'000'000);
  });
  line.option("--samples", "N", "Points to draw where the grid is larger (1000)", [&command](const std::string& text) {
    command.options.samples = read_count("--samples", text, 2, 100'000'000);
  });
  line.option("--seed", "N", "Of the draw (0)",
              [&command](const std::string& text) { command.options.seed = read_seed("--seed", text); });
  line.option("--level", "X", "Confidence level of the intervals, between 0 and 1 (0.95)",
              [&command](const std::string& text) { command.options.confidence_level = read_double("--level", text); });
  add_measure_options(line, command.request);
  return line.parse(arguments);
}

Json interval_json(const Interval& interval) {
  return Json{{"low", number_or_null(interval.low)}, {"high", number_or_null(interval.high)}};
}

Json simplex_json(const OpenedMeasure& measure, const SimplexCommand& command, const SimplexHull& hull) {
  Json result = measure_document("simplex", measure, command.request.mode);
  result["sampled"] = hull.sampled;
  if (hull.sampled) {
    result["seed"] = command.options.seed;
    result["level"] = command.options.confidence_level;
  } else {
    result["divisions"] = command.options.divisions;
  }
  result["p_source"] = exact(static_cast<float>(hull.p_source));
  result["mean"] = number_or_null(hull.mean);
  if (hull.sampled) result["mean_interval"] = interval_json(hull.mean_interval);
  result["minimum"] = exact(static_cast<float>(hull.minimum));
  result["fractions"] = fractions_json(hull.fractions);
  for (std::size_t d = 0; hull.sampled && d < hull.fractions.size(); ++d) {
    result["fractions"][d]["interval"] = interval_json(hull.fraction_intervals[d]);
  }
  result["points"] = Json::array();
  for (const SimplexPoint& point : hull.points) {
    Json entry = Json::object();
    entry["t"] = point.t;
    entry["probability"] = exact(point.probability);
    result["points"].push_back(std::move(entry));
  }
  return result;
}

std::string simplex_text(const OpenedMeasure& measure, const SimplexCommand& command, const SimplexHull& hull) {
  std::string text = fmt::format("{} at {}: {:.4f}\n", measure.names.label(measure.source_class),
                                 measure.images[0].name, hull.p_source);
  text += fmt::format("{} points {}: mean {:.4f}, lowest {:.4f}\nshare of points above the source less a drop: {}\n",
                      hull.points.size(), hull.sampled ? "drawn" : "of a grid", hull.mean, hull.minimum,
                      fractions_text(hull.fractions));
  if (!hull.sampled) return text;
  text += fmt::format("at the level {}: mean {:.4f} to {:.4f}", command.options.confidence_level,
                      hull.mean_interval.low, hull.mean_interval.high);
  for (std::size_t d = 0; d < hull.fractions.size(); ++d) {
    text += fmt::format(", share at {} {:.4f} to {:.4f}", confidence_drops[d], hull.fraction_intervals[d].low,
                        hull.fraction_intervals[d].high);
  }
  return text + "\n";
}

}  // namespace

int run_simplex(const Arguments& arguments, const StopSignals& stop) {
  SimplexCommand command;
  if (!parse(arguments, command)) return 0;
  command.options.check();
  std::vector<std::string> files = {command.source};
  files.insert(files.end(), command.targets.begin(), command.targets.end());
  OpenedMeasure measure(command.request, files, stop);
  std::vector<Simplex> simplex(1);
  simplex[0].source = &measure.images[0].image;
  simplex[0].source_class = measure.source_class;
  for (std::size_t i = 1; i < measure.images.size(); ++i) simplex[0].targets.push_back(&measure.images[i].image);
  const SimplexHull hull = simplex_hulls(measure.model, simplex, command.options).at(0);
  print(command.request.printing.json ? to_text(simplex_json(measure, command, hull))
                                      : simplex_text(measure, command, hull));
  return 0;
}

}  // namespace blindspot::tools
