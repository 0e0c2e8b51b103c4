// `blindspot verify`: reads a result and recomputes in fp32 what it claims. Uses the public headers and the shared
// pieces of tools/.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <optional>
#include <span>

#include "blindspot/distances.h"
#include "blindspot/one_line.h"
#include "blindspot/weights.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/participants.h"
#include "tools/recorded_result.h"

namespace blindspot::tools {

namespace {

/// Probabilities may differ by this much: fp32 on other instructions, other threads, another library.
constexpr double probability_tolerance = 1e-4;
/// Distances are the same sums of the same float32 values.
constexpr double distance_tolerance = 1e-6;
/// LPIPS compares features that are float32, as probabilities are.
constexpr double lpips_tolerance = 1e-4;

/// Exit code of a result that does not hold: a bad input, as house rules call it.
constexpr int does_not_hold = 3;

struct VerifyOptions {
  std::string folder, model, lpips;
  ModelOptions network;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, VerifyOptions& options) {
  CommandLine line(
      "verify",
      "Recompute in fp32 the probabilities and distances of a result. It holds if probabilities agree within "
      "1e-4, distances within 1e-6 (LPIPS 1e-4, with --lpips), and every final image that is not marked as outside has "
      "lost less than "
      "delta. Exit code 0 if it holds, 3 if not.",
      "blindspot verify out");
  line.argument("DIR", options.folder, "Folder of a result of traverse, grid or demo");
  add_lpips_option(line, options.lpips);
  line.heading("Network and its input");
  line.option("--model", "MODEL", "The network, where it no longer lies at the recorded path", options.model);
  add_architecture_options(line, options.network.architecture, options.network.heads);
  add_device_options(line, options.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

/// A number as recorded and as it is.
struct Comparison {
  const char* name;
  double recorded, recomputed, tolerance;

  /// NaN agrees with NaN only.
  bool agrees() const {
    if (std::isnan(recorded) || std::isnan(recomputed)) return std::isnan(recorded) && std::isnan(recomputed);
    return std::abs(recorded - recomputed) <= tolerance;
  }
};

struct PairCheck {
  std::vector<Comparison> comparisons;
  bool within_delta = false;  ///< or marked as outside, rightly
  bool holds = false;
};

std::vector<float> probabilities(Model& model, const std::vector<Image>& images, const RecordedResult& result,
                                 std::int32_t RecordedPair::*which) {
  std::vector<const Image*> pointers;
  pointers.reserve(images.size());
  std::vector<std::int32_t> classes;
  for (const Image& image : images) pointers.push_back(&image);
  for (const RecordedPair& pair : result.pairs) classes.push_back(pair.*which);
  return model.probabilities_fp32(pointers, classes);
}

/// Of the final images rounded to 8 bits, which are made some at a time: the unrounded ones take enough memory.
std::vector<float> probabilities_8bit(Model& model, const RecordedResult& result) {
  constexpr std::size_t at_a_time = 16;
  std::vector<float> all;
  for (std::size_t first = 0; first < result.pairs.size(); first += at_a_time) {
    const std::size_t end = std::min(first + at_a_time, result.pairs.size());
    std::vector<NamedImage> rounded;
    std::vector<std::int32_t> classes;
    for (std::size_t i = first; i < end; ++i) {
      rounded.push_back({"", to_image(to_picture(result.finals[i]))});
      classes.push_back(result.pairs[i].source_class);
    }
    const std::vector<float> some = model.probabilities_fp32(pointers_to(rounded), classes);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

/// SSIM of all pairs, and LPIPS where its file was given.
std::vector<Distances> recomputed_distances(const VerifyOptions& options, const RecordedResult& result,
                                            const Cancelled& cancelled) {
  DistanceOptions distances;
  distances.device = options.network.device;
  distances.threads = options.network.threads;
  distances.lpips = options.lpips;
  distances.mode = result.mode;
  distances.cancelled = cancelled;
  DistanceMeasure measure = DistanceMeasure::open(distances);
  if (!options.lpips.empty() && !result.lpips_sha256.empty() && measure.lpips_sha256() != result.lpips_sha256) {
    throw Error(ErrorKind::input,
                fmt::format("--lpips {}: is not the file that {} was made with", options.lpips, options.folder));
  }
  std::vector<ImagePair> pairs;
  for (std::size_t i = 0; i < result.pairs.size(); ++i) pairs.push_back({&result.finals[i], &result.targets[i]});
  return measure.measure(pairs);
}

/// Of what is recorded and can be recomputed; what a signal kept from being measured is not recorded.
void compare_distances(const RecordedPair& pair, const Distances& distances, std::vector<Comparison>& comparisons) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (pair.ssim) comparisons.push_back({"ssim", *pair.ssim, distances.ssim.value_or(nan), distance_tolerance});
  if (pair.lpips && distances.lpips) {
    comparisons.push_back({"lpips", *pair.lpips, *distances.lpips, lpips_tolerance});
  }
}

std::vector<PairCheck> check_pairs(Model& model, const RecordedResult& result, std::span<const Distances> distances,
                                   const Cancelled& cancelled) {
  const std::vector<float> p0 = probabilities(model, result.sources, result, &RecordedPair::source_class);
  const std::vector<float> p = probabilities(model, result.finals, result, &RecordedPair::source_class);
  const std::vector<float> at_target = probabilities(model, result.finals, result, &RecordedPair::target_class);
  const std::vector<float> of_target = probabilities(model, result.targets, result, &RecordedPair::target_class);
  const std::vector<float> p_8bit = probabilities_8bit(model, result);
  std::vector<PairCheck> checks;
  for (std::size_t i = 0; i < result.pairs.size(); ++i) {
    stop_if(cancelled);
    const RecordedPair& pair = result.pairs[i];
    PairCheck check;
    const double distance = rmse(result.finals[i], result.targets[i]);
    const double largest = linf(result.finals[i], result.targets[i]);
    check.comparisons = {{"source_probability", pair.source_probability, p0[i], probability_tolerance},
                         {"probability", pair.probability, p[i], probability_tolerance},
                         {"target_probability", pair.final_target_probability, at_target[i], probability_tolerance},
                         {"target_image_probability", pair.target_probability, of_target[i], probability_tolerance},
                         {"rmse", pair.rmse, distance, distance_tolerance},
                         {"linf", pair.linf, largest, distance_tolerance}};
    compare_distances(pair, distances[i], check.comparisons);
    // A signal leaves no time to measure it.
    const bool measured = !(result.interrupted && std::isnan(pair.probability_8bit));
    if (measured) {
      check.comparisons.push_back({"probability_8bit", pair.probability_8bit, p_8bit[i], probability_tolerance});
    }
    const double drop = static_cast<double>(p0[i]) - static_cast<double>(p[i]);
    // NaN is outside, as the walk has it.
    check.within_delta =
        pair.outside ? !(drop < result.delta - probability_tolerance) : drop < result.delta + probability_tolerance;
    check.holds = check.within_delta && std::all_of(check.comparisons.begin(), check.comparisons.end(),
                                                    [](const Comparison& c) { return c.agrees(); });
    checks.push_back(std::move(check));
  }
  return checks;
}

Json pair_json(const RecordedPair& pair, const PairCheck& check) {
  Json result = Json::object();
  result["source"] = pair.source_path;
  result["target"] = pair.target_path;
  result["holds"] = check.holds;
  result["outside"] = pair.outside;
  result["within_delta"] = check.within_delta;
  result["numbers"] = Json::array();
  for (const Comparison& comparison : check.comparisons) {
    Json entry = Json::object();
    entry["name"] = comparison.name;
    entry["recorded"] = comparison.recorded;
    entry["recomputed"] = comparison.recomputed;
    entry["agrees"] = comparison.agrees();
    result["numbers"].push_back(std::move(entry));
  }
  return result;
}

Json verify_json(const VerifyOptions& options, const Model& model, const RecordedResult& result,
                 const std::vector<PairCheck>& checks, bool holds) {
  Json json = document("verify");
  json["result"] = options.folder;
  json["model"] = to_json(model.information());
  json["device"] = model.device();
  json["delta"] = result.delta;
  json["probability_tolerance"] = probability_tolerance;
  json["distance_tolerance"] = distance_tolerance;
  json["lpips_tolerance"] = lpips_tolerance;
  json["holds"] = holds;
  json["pairs"] = Json::array();
  for (std::size_t i = 0; i < checks.size(); ++i) json["pairs"].push_back(pair_json(result.pairs[i], checks[i]));
  return json;
}

/// What does not hold of a pair, or that it does.
std::string pair_line(const RecordedPair& pair, const PairCheck& check) {
  std::string text = fmt::format("{} -> {}:", one_line(pair.source_path), one_line(pair.target_path));
  if (check.holds) {
    return text + fmt::format(" holds, probability {:.6f}, rmse {:.6f}{}\n", check.comparisons[1].recomputed,
                              check.comparisons[4].recomputed, pair.outside ? ", outside as it says" : "");
  }
  for (const Comparison& comparison : check.comparisons) {
    if (comparison.agrees()) continue;
    text += fmt::format(" {} is {}, not {};", comparison.name, comparison.recomputed, comparison.recorded);
  }
  if (!check.within_delta) text += pair.outside ? " it is not outside;" : " it has lost delta or more;";
  text.back() = '\n';
  return text;
}

/// Opens what the files tell; only where they tell nothing, or something else, as the recorded architecture: its name
/// alone does not say all that, for instance, a folder's configuration does.
Model open_by_recognition(const std::string& name, ModelOptions network, const RecordedResult& result) {
  const std::vector<std::string> known = known_architectures();
  // A name of the form vit(…) holds the number of heads, which the file may not.
  const bool has_name = result.architecture.starts_with("vit(") ||
                        std::find(known.begin(), known.end(), result.architecture) != known.end();
  if (!network.architecture.empty() || !has_name) return Model::open(name, network);
  try {
    Model model = Model::open(name, network);
    if (model.information().architecture == result.architecture) return model;
  } catch (const Error& unrecognised) {
    network.architecture = result.architecture;
    try {
      return Model::open(name, network);
    } catch (const Error&) {
      throw unrecognised;
    }
  }
  network.architecture = result.architecture;
  return Model::open(name, network);
}

/// What can be done about a recorded path that leads nowhere now is known here alone.
Model open_at_recorded_path(const VerifyOptions& options, const ModelOptions& network, const RecordedResult& result) {
  try {
    return open_by_recognition(result.model_name, network, result);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    throw Error(ErrorKind::input, fmt::format("{}; {} records that path: if the network lies elsewhere now, name it "
                                              "with --model FILE",
                                              error.what(), options.folder));
  }
}

Model open_recorded(const VerifyOptions& options, const RecordedResult& result) {
  ModelOptions network = options.network;
  network.preprocessing = result.preprocessing;
  Model model = options.model.empty() ? open_at_recorded_path(options, network, result)
                                      : open_by_recognition(options.model, network, result);
  if (model.information().weights_sha256 != result.weights_sha256) {
    throw Error(ErrorKind::input,
                fmt::format("{}: its tensors are not those that {} was made with; give the right file "
                            "with --model",
                            model.information().name, options.folder));
  }
  return model;
}

}  // namespace

int run_verify(const Arguments& arguments, const StopSignals& stop) {
  VerifyOptions options;
  if (!parse(arguments, options)) return 0;
  const RecordedResult result = read_result(options.folder, stop.cancelled());
  options.network.cancelled = stop.cancelled();
  Model model = open_recorded(options, result);
  check_fits(result, options.folder, model.information());
  const std::vector<Distances> distances = recomputed_distances(options, result, stop.cancelled());
  const bool unchecked = options.lpips.empty() && std::any_of(result.pairs.begin(), result.pairs.end(),
                                                              [](const RecordedPair& pair) { return pair.lpips; });
  if (unchecked && !options.printing.quiet) std::cerr << "LPIPS is not recomputed: it needs --lpips FILE\n";
  const std::vector<PairCheck> checks = check_pairs(model, result, distances, stop.cancelled());
  const bool holds = std::all_of(checks.begin(), checks.end(), [](const PairCheck& check) { return check.holds; });
  if (options.printing.json) {
    print(to_text(verify_json(options, model, result, checks, holds)));
  } else {
    std::string text;
    for (std::size_t i = 0; i < checks.size(); ++i) text += pair_line(result.pairs[i], checks[i]);
    print(text + fmt::format("{}: {}, {}\n", options.folder, counted(checks.size(), "pair"),
                             holds ? "all hold" : "not all hold"));
  }
  return holds ? 0 : does_not_hold;
}

}  // namespace blindspot::tools
