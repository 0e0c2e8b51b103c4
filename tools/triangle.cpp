// `blindspot triangle`: confidences over the triangle of three images, and the metrics of the paper's Table 2. Uses the
// public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include <array>

#include "tools/commands.h"
#include "tools/measure_command.h"

namespace blindspot::tools {

namespace {

struct TriangleOptions {
  MeasureRequest request;
  std::array<std::string, 3> images;
  CheckChoice check;
};

bool parse(const Arguments& arguments, TriangleOptions& options) {
  CommandLine line(
      "triangle",
      "Confidence in the source's class over the triangle between three images, used as they are given: 66 "
      "points (1 - t1 - t2) S + t1 B1 + t2 B2. The metrics are those of the paper's Table 2.",
      "blindspot triangle resnet50.safetensors dog.jpg out/final-0-0.png out/final-0-1.png");
  add_model_argument(line, options.request.model);
  line.argument("S", options.images[0], "Source: JPEG, PNG, or .safetensors with a tensor `image`");
  line.argument("B1", options.images[1], "First target, for instance what a walk ended at");
  line.argument("B2", options.images[2], "Second target");
  line.heading("Triangle");
  add_check_options(line, options.check);
  add_measure_options(line, options.request);
  return line.parse(arguments);
}

Json triangle_json(const OpenedMeasure& measure, WalkMode mode, const TriangleHull& hull) {
  Json result = measure_document("triangle", measure, mode);
  const HullMetrics& metrics = hull.metrics;
  result["p_source"] = exact(static_cast<float>(metrics.p_source));
  result["mean"] = number_or_null(metrics.mean);
  result["fractions"] = fractions_json(metrics.fractions);
  result["edge_mean"] = number_or_null(metrics.edge_mean);
  result["edge_minimum"] = number_or_null(metrics.edge_minimum);
  result["points"] = Json::array();
  for (const TrianglePoint& point : hull.points) {
    Json entry = Json::object();
    entry["t"] = {point.t1, point.t2};
    entry["probability"] = exact(point.probability);
    result["points"].push_back(std::move(entry));
  }
  return result;
}

/// A row a t1, as the triangle lies.
std::string triangle_text(const OpenedMeasure& measure, const TriangleHull& hull) {
  const HullMetrics& metrics = hull.metrics;
  std::string text = fmt::format("{} at {}: {:.4f}\n", measure.names.label(measure.source_class),
                                 measure.images[0].name, metrics.p_source);
  text += "     t2";
  for (const TrianglePoint& point : hull.points) {
    if (point.t1 == 0) text += fmt::format(" {:<5.1f}", point.t2);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
  double row = -1;
  for (const TrianglePoint& point : hull.points) {
    if (point.t1 != row) text += fmt::format("{}t1 {:.1f} ", row < 0 ? "" : "\n", point.t1);
    row = point.t1;
    text += fmt::format(" {:.3f}", point.probability);
  }
  return text + fmt::format(
                    "\nmean {:.4f}; share of points above the source less a drop: {}\nedges from the source: mean "
                    "{:.4f}, lowest {:+.4f} against the source\n",
                    metrics.mean, fractions_text(metrics.fractions), metrics.edge_mean, metrics.edge_minimum);
}

}  // namespace

int run_triangle(const Arguments& arguments, const StopSignals& stop) {
  TriangleOptions options;
  if (!parse(arguments, options)) return 0;
  const CheckOptions check = options.check.resolve();
  OpenedMeasure measure(options.request, {options.images.begin(), options.images.end()}, stop);
  const std::array<Triangle, 1> triangle = {
      {{&measure.images[0].image, &measure.images[1].image, &measure.images[2].image, measure.source_class}}};
  const TriangleHull hull = triangle_hulls(measure.model, triangle, options.request.mode).at(0);
  std::optional<LowestPoint> lowest;
  if (options.check.resolution) {
    lowest = check_triangles(measure.model, triangle, check).at(0);
    for (const TrianglePoint& point : hull.points) take_in(*lowest, {point.t1, point.t2}, point.probability, check);
  }
  if (options.request.printing.json) {
    Json result = triangle_json(measure, options.request.mode, hull);
    if (lowest) result["check"] = check_json(*lowest, check);
    print(to_text(result));
  } else {
    print(triangle_text(measure, hull) + (lowest ? check_text(*lowest, check) : ""));
  }
  return 0;
}

}  // namespace blindspot::tools
