// `blindspot path`: confidences along the straight line between two images. Uses the public headers and the shared
// pieces of tools/.
#include <fmt/format.h>

#include <array>

#include "tools/commands.h"
#include "tools/measure_command.h"

namespace blindspot::tools {

namespace {

struct PathOptions {
  MeasureRequest request;
  std::array<std::string, 2> images;
  CheckChoice check;
};

bool parse(const Arguments& arguments, PathOptions& options) {
  CommandLine line(
      "path",
      "Confidence in the source's class along the straight line between two images, used as they are given: "
      "21 points (1 - t) S + t B.",
      "blindspot path resnet50.safetensors dog.jpg out/final-0-0.png --check 256");
  add_model_argument(line, options.request.model);
  line.argument("S", options.images[0], "Source: JPEG, PNG, or .safetensors with a tensor `image`");
  line.argument("B", options.images[1], "Where the line ends, for instance what a walk ended at");
  line.heading("Path");
  add_check_options(line, options.check);
  add_measure_options(line, options.request);
  return line.parse(arguments);
}

Json path_json(const OpenedMeasure& measure, WalkMode mode, const StraightPath& path) {
  Json result = measure_document("path", measure, mode);
  result["minimum"] = exact(static_cast<float>(path.minimum));
  result["points"] = Json::array();
  for (const PathPoint& point : path.points) {
    Json entry = Json::object();
    entry["t"] = point.t;
    entry["probability"] = exact(point.probability);
    result["points"].push_back(std::move(entry));
  }
  return result;
}

std::string path_text(const OpenedMeasure& measure, const StraightPath& path) {
  std::string text = fmt::format("{} from {} to {}, lowest {:.4f}\n", measure.names.label(measure.source_class),
                                 measure.images[0].name, measure.images[1].name, path.minimum);
  for (const PathPoint& point : path.points) text += fmt::format("t {:.2f}  {:.4f}\n", point.t, point.probability);
  return text;
}

}  // namespace

int run_path(const Arguments& arguments, const StopSignals& stop) {
  PathOptions options;
  if (!parse(arguments, options)) return 0;
  const CheckOptions check = options.check.resolve();
  OpenedMeasure measure(options.request, {options.images.begin(), options.images.end()}, stop);
  const std::array<Segment, 1> segment = {{{&measure.images[0].image, &measure.images[1].image, measure.source_class}}};
  const StraightPath path = straight_paths(measure.model, segment).at(0);
  std::optional<LowestPoint> lowest;
  if (options.check.resolution) {
    lowest = check_segments(measure.model, segment, check).at(0);
    for (const PathPoint& point : path.points) take_in(*lowest, {point.t}, point.probability, check);
  }
  if (options.request.printing.json) {
    Json result = path_json(measure, options.request.mode, path);
    if (lowest) result["check"] = check_json(*lowest, check);
    print(to_text(result));
  } else {
    print(path_text(measure, path) + (lowest ? check_text(*lowest, check) : ""));
  }
  return 0;
}

}  // namespace blindspot::tools
