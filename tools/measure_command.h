// What the commands that measure given images with a network have in common: triangle, path, simplex, width. Uses the
// shared pieces of tools/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blindspot/hull.h"
#include "tools/class_names.h"
#include "tools/json_output.h"
#include "tools/options.h"
#include "tools/signals.h"

namespace blindspot::tools {

/// What the user asked for.
struct MeasureRequest {
  std::string model;
  std::string class_names;
  std::optional<std::int64_t> source_class;
  ModelOptions network;
  WalkMode mode = WalkMode::standard;
  PrintingOptions printing;
};

/// MODEL.
void add_model_argument(CommandLine& line, std::string& model);
/// All options that the commands share; `--mode` and what belongs to a measure alone come before.
void add_measure_options(CommandLine& line, MeasureRequest& request);

/// A network and the images to measure, one from each file.
struct OpenedMeasure {
  /// Throws Error(usage|input|device). The first image's class is the network's own prediction unless one was asked
  /// for. `read_more` reads what else a command takes: before a word is said, for a refusal is one line.
  OpenedMeasure(const MeasureRequest& request, const std::vector<std::string>& files, const StopSignals& stop,
                const std::function<void(const ModelInformation&)>& read_more = {});

  Model model;
  ClassNames names;
  std::vector<NamedImage> images;
  std::int32_t source_class = 0;
};

/// `schema` … `threads`, `mode`, `class`, and `images`, the paths: what every measure's document starts with.
Json measure_document(const std::string& name, const OpenedMeasure& measure, WalkMode mode);
/// null for what is not finite.
Json number_or_null(double value);
/// [{`drop`, `fraction`}], four of them.
Json fractions_json(const std::array<double, 4>& fractions);
/// "0.12 above p_source, 0.50 above p_source - 0.1, …".
std::string fractions_text(const std::array<double, 4>& fractions);

/// --check and --delta.
struct CheckChoice {
  std::optional<int> resolution;  ///< none: no check
  double delta = 0.2;
  bool delta_given = false;

  /// Throws Error(usage) for --delta without --check.
  CheckOptions resolve() const;
};
void add_check_options(CommandLine& line, CheckChoice& choice);
/// What the points of a grid that was asked anyhow add to a search: the lowest of both.
void take_in(LowestPoint& lowest, const std::vector<double>& t, float probability, const CheckOptions& options);
Json check_json(const LowestPoint& lowest, const CheckOptions& options);
std::string check_text(const LowestPoint& lowest, const CheckOptions& options);

}  // namespace blindspot::tools
