// Implementation of measure_command.h.
#include "tools/measure_command.h"

#include <fmt/format.h>

#include <cmath>

#include "tools/numbers.h"
#include "tools/participants.h"

namespace blindspot::tools {

namespace {

constexpr std::int64_t largest_class = 1'000'000'000;

/// One image of each file.
std::vector<NamedImage> load_one_each(const std::vector<std::string>& files, const Preprocessing& preprocessing,
                                      const Cancelled& cancelled) {
  std::vector<NamedImage> images;
  for (const std::string& file : files) {
    std::vector<NamedImage> loaded = load_images(file, preprocessing, cancelled);
    if (loaded.size() != 1) {
      throw Error(ErrorKind::input, fmt::format("{}: holds {} images, but one is needed here", file, loaded.size()));
    }
    images.push_back(std::move(loaded[0]));
  }
  return images;
}

void check_source_class(const MeasureRequest& request, std::int64_t class_count) {
  if (!request.source_class || *request.source_class < class_count) return;
  throw Error(ErrorKind::usage, fmt::format("--source-class {}: the network has the classes 0 to {}",
                                            *request.source_class, class_count - 1));
}

std::string weights_text(const std::vector<double>& t) {
  std::string text;
  for (const double share : t) text += fmt::format("{}{:.6g}", text.empty() ? "" : ", ", share);
  return text;
}

}  // namespace

void add_model_argument(CommandLine& line, std::string& model) {
  line.argument("MODEL", model, "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
}

void add_measure_options(CommandLine& line, MeasureRequest& request) {
  line.option("--source-class", "K", "The class whose confidence is measured (the network's own prediction)",
              [&request](const std::string& text) {
                request.source_class = read_count("--source-class", text, 0, largest_class);
              });
  add_mode_option(line, request.mode);
  line.heading("Network and its input");
  add_class_names_option(line, request.class_names);
  add_network_options(line, request.network);
  add_device_options(line, request.network);
  add_batch_option(line, request.network);
  add_printing_options(line, request.printing);
}

OpenedMeasure::OpenedMeasure(const MeasureRequest& request, const std::vector<std::string>& files,
                             const StopSignals& stop, const std::function<void(const ModelInformation&)>& read_more)
    : model(Model::open(request.model, stoppable(request.network, stop))),
      names(request.class_names, model.information()) {
  check_source_class(request, model.information().class_count);
  images = load_one_each(files, model.information().preprocessing, stop.cancelled());
  if (read_more) read_more(model.information());
  say_what_is_assumed(model, request.printing.quiet);
  source_class = request.source_class ? static_cast<std::int32_t>(*request.source_class)
                                      : predicted_class(model.logits({&images.at(0).image}).at(0));
}

Json measure_document(const std::string& name, const OpenedMeasure& measure, WalkMode mode) {
  Json result = document(name);
  result["model"] = to_json(measure.model.information());
  result["device"] = measure.model.device();
  result["precision"] = to_string(measure.model.precision());
  result["batch"] = measure.model.batch();
  result["threads"] = measure.model.threads();
  result["mode"] = mode == WalkMode::reference ? "reference" : "default";
  result["class"] = measure.source_class;
  result["images"] = Json::array();
  for (const NamedImage& image : measure.images) result["images"].push_back(image.name);
  return result;
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json fractions_json(const std::array<double, 4>& fractions) {
  Json list = Json::array();
  for (std::size_t d = 0; d < fractions.size(); ++d) {
    Json entry = Json::object();
    entry["drop"] = confidence_drops[d];
    entry["fraction"] = fractions[d];
    list.push_back(std::move(entry));
  }
  return list;
}

std::string fractions_text(const std::array<double, 4>& fractions) {
  std::string text;
  for (std::size_t d = 0; d < fractions.size(); ++d) {
    text += fmt::format("{}{:.4f} at {}", text.empty() ? "" : ", ", fractions[d], confidence_drops[d]);
  }
  return text;
}

CheckOptions CheckChoice::resolve() const {
  if (!resolution && delta_given) throw Error(ErrorKind::usage, "--delta: is of use with --check only");
  CheckOptions options;
  if (resolution) options.resolution = *resolution;
  options.delta = delta;
  return options;
}

void add_check_options(CommandLine& line, CheckChoice& choice) {
  line.option(
      "--check", "N",
      "Also search between the points for the lowest confidence, to a resolution of 1/N; below 32 that can cost "
      "more than the whole grid of 1/N",
      [&choice](const std::string& text) {
        choice.resolution = static_cast<int>(read_count("--check", text, 1, 65536));
      });
  line.option("--delta", "D", "With --check: confidence that may be lost, 0 to 1 (0.2)",
              [&choice](const std::string& text) {
                choice.delta = read_double("--delta", text);
                choice.delta_given = true;
                if (choice.delta < 0 || choice.delta > 1) {
                  throw Error(ErrorKind::usage, fmt::format("--delta {}: must be from 0 to 1", text));
                }
              });
}

void take_in(LowestPoint& lowest, const std::vector<double>& t, float probability, const CheckOptions& options) {
  const auto value = static_cast<double>(probability);
  if (!(value < lowest.probability)) return;
  lowest.t = t;
  lowest.probability = value;
  lowest.violation = lowest.p_source - value > options.delta;
}

Json check_json(const LowestPoint& lowest, const CheckOptions& options) {
  Json result = Json::object();
  result["resolution"] = options.resolution;
  result["delta"] = options.delta;
  result["minimum"] = number_or_null(lowest.probability);
  result["t"] = lowest.t;
  result["violation"] = lowest.violation;
  result["points"] = lowest.points;
  result["gradients"] = lowest.gradients;
  result["forward_passes"] = lowest.forward_passes;
  result["grid_passes"] = lowest.grid_passes;
  return result;
}

std::string check_text(const LowestPoint& lowest, const CheckOptions& options) {
  return fmt::format(
      "lowest confidence found between the points: {:.6f} at t = {}, {} {}; cost {:.1f} forward passes, a grid of 1/{} "
      "takes {}\n",
      lowest.probability, weights_text(lowest.t),
      lowest.violation ? "which has lost more than" : "so nothing found has lost more than", options.delta,
      lowest.forward_passes, options.resolution, lowest.grid_passes);
}

}  // namespace blindspot::tools
