// `blindspot width`: how far one may step across a walk's direction before confidence falls. Uses the public headers
// and the shared pieces of tools/.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "blindspot/weights.h"
#include "blindspot/width.h"
#include "tools/commands.h"
#include "tools/measure_command.h"
#include "tools/numbers.h"
#include "tools/progress.h"

namespace blindspot::tools {

namespace {

struct WidthCommand {
  MeasureRequest request;
  std::string image, target, directions;
  std::vector<std::string> radii;
  WidthOptions options;
};

bool parse(const Arguments& arguments, WidthCommand& command) {
  CommandLine line("width",
                   "Path width at an image towards a target: quantiles of the confidence after steps of given lengths "
                   "in random directions across the walk's.",
                   "blindspot width resnet50.safetensors out/final-0-0.png --target cat.jpg");
  add_model_argument(line, command.request.model);
  line.argument("X", command.image, "Where to measure: JPEG, PNG, or .safetensors with a tensor `image`");
  line.heading("Width");
  line.option("--target", "IMG", "Where the walk goes", command.target, Need::required);
  line.option("--delta", "D", "Nothing is measured where the confidence is below this, 0 to 1 (0.2)",
              [&command](const std::string& text) { command.options.delta = read_number("--delta", text); });
  line.list("--radii", "R", "L2 lengths of the steps, above 0 (0.5 1 1.5 2)", command.radii);
  line.option("--directions", "FILE", "Tensor `directions` [K,3,H,W] to use instead of 256 drawn ones",
              command.directions);
  line.option("--seed", "N", "Of the drawn directions (0)",
              [&command](const std::string& text) { command.options.seed = read_seed("--seed", text); });
  add_measure_options(line, command.request);
  if (!line.parse(arguments)) return false;
  if (!(command.options.delta >= 0 && command.options.delta <= 1)) {
    throw Error(ErrorKind::usage, fmt::format("--delta {}: must be from 0 to 1", command.options.delta));
  }
  if (!command.radii.empty()) command.options.radii.clear();
  for (const std::string& text : command.radii) {
    command.options.radii.push_back(read_double("--radii", text));
    if (!(command.options.radii.back() > 0)) {
      throw Error(ErrorKind::usage, fmt::format("--radii {}: a radius must be above 0", text));
    }
  }
  return true;
}

/// Tensor `directions` of a file, [K, 3, H, W] at the network's input size.
std::vector<float> load_directions(const std::string& file, int side) {
  std::map<std::string, FloatTensor> tensors = read_float_tensors(file, {"directions"});
  const auto found = tensors.find("directions");
  if (found == tensors.end()) throw Error(ErrorKind::input, fmt::format("{}: holds no tensor `directions`", file));
  const std::vector<std::int64_t>& shape = found->second.shape;
  if (shape.size() != 4 || shape[0] < 1 || shape[1] != 3 || shape[2] != side || shape[3] != side) {
    throw Error(ErrorKind::input, fmt::format("{}: `directions` is {}, but the network's images need [K,3,{},{}]", file,
                                              shape_text(shape), side, side));
  }
  for (const float value : found->second.values) {
    if (std::isfinite(value)) continue;
    throw Error(ErrorKind::input, fmt::format("{}: `directions` holds {}, not a finite number", file, value));
  }
  return std::move(found->second.values);
}

PathWidth measured_width(OpenedMeasure& measure, const WidthCommand& command) {
  const std::array<WidthPoint, 1> point = {
      {{&measure.images[0].image, &measure.images[1].image, measure.source_class}}};
  ProgressDisplay display(command.request.printing.quiet);
  WidthOptions options = command.options;
  options.progress = [&display](double share) { display.show("path width", share); };
  return path_widths(measure.model, point, options).at(0);
}

Json width_json(const OpenedMeasure& measure, const WidthCommand& command, const PathWidth& width) {
  Json result = measure_document("width", measure, command.request.mode);
  result["delta"] = exact(command.options.delta);
  if (command.directions.empty()) result["seed"] = command.options.seed;
  result["probability"] = exact(width.probability);
  result["radii"] = Json::array();
  const auto add = [&result](double radius, const Json& q05, const Json& q95) {
    result["radii"].push_back({{"radius", radius}, {"q05", q05}, {"q95", q95}});
  };
  for (const WidthRadius& radius : width.radii) {
    add(radius.radius, number_or_null(radius.q05), number_or_null(radius.q95));
  }
  if (width.measured) return result;
  add(0, nullptr, nullptr);
  for (const double radius : command.options.radii) add(radius, nullptr, nullptr);
  return result;
}

std::string width_text(const OpenedMeasure& measure, const WidthCommand& command, const PathWidth& width) {
  std::string text = fmt::format("{} at {}: {:.4f}\n", measure.names.label(measure.source_class),
                                 measure.images[0].name, width.probability);
  if (!width.measured) return text + fmt::format("nothing is measured below {}\n", command.options.delta);
  for (const WidthRadius& radius : width.radii) {
    if (radius.radius == 0) continue;
    text += fmt::format("{:.4g} away: {:.4f} to {:.4f} (5 % and 95 %)\n", radius.radius, radius.q05, radius.q95);
  }
  return text;
}

}  // namespace

int run_width(const Arguments& arguments, const StopSignals& stop) {
  WidthCommand command;
  if (!parse(arguments, command)) return 0;
  std::vector<float> directions;
  OpenedMeasure measure(command.request, {command.image, command.target}, stop, [&](const ModelInformation& network) {
    if (command.directions.empty()) return;
    directions = load_directions(command.directions, network.preprocessing.input_size);
    command.options.given_directions = &directions;
  });
  command.options.mode = command.request.mode;
  const PathWidth width = measured_width(measure, command);
  print(command.request.printing.json ? to_text(width_json(measure, command, width))
                                      : width_text(measure, command, width));
  return 0;
}

}  // namespace blindspot::tools
