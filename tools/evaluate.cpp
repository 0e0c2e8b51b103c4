// `blindspot evaluate`: the paper's evaluation into a run database. Uses the public headers and the shared pieces of
// tools/.
#include "blindspot/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "blindspot/one_line.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/progress.h"

namespace blindspot::tools {

namespace {

constexpr std::int64_t most = 1'000'000'000;

struct EvaluateOptions {
  EvaluationOptions run;
  WalkChoice walk;
  std::string images, labels, lpips, database;
  bool dry_run = false;
  PrintingOptions printing;
};

void add_count(CommandLine& line, const std::string& name, const std::string& description, std::int64_t smallest,
               std::int64_t& value) {
  line.option(name, "N", description,
              [name, smallest, &value](const std::string& text) { value = read_count(name, text, smallest, most); });
}

bool parse(const Arguments& arguments, EvaluateOptions& options) {
  EvaluationOptions& run = options.run;
  CommandLine line(
      "evaluate",
      "The paper's evaluation: rounds of random targets for many sources, walks, distances, triangles. The "
      "same command goes on with a run that was stopped. The seconds and the share of them that the device was busy "
      "count from the first picture's reading on; opening the networks comes before.",
      "blindspot evaluate resnet50.safetensors --images imagenet/val --labels val.txt --limit 1000 -o "
      "run.db");
  line.arguments("MODEL", run.models, "Networks: weight files, Hugging Face folders, names, demo-resnet, demo-vit");
  line.option("--images", "DIR",
              "Class folders, which are the classes in the order of their names, a folder of images, or a list file",
              options.images, Need::required);
  line.option("--labels", "FILE", "Lines of file name and class, for a folder of images", options.labels);
  line.option("-o,--output", "RUN.db", "The run database", options.database, Need::required);
  add_count(line, "--limit", "Sources at the most (0: all)", 0, run.parameters.limit);
  add_count(line, "--rounds", "Targets of each source (5)", 1, run.parameters.rounds);
  line.option("--shard", "I/N", "Part I of N of the sources; `merge` joins them",
              [&run](const std::string& text) { run.shard = shard_from(text); });
  add_lpips_option(line, options.lpips);
  add_count(line, "--detailed-pairs", "Pairs of each network whose records are kept as pictures (20)", 0,
            run.parameters.detailed_pairs);
  line.flag("--width",
            "Measure the path width at every record of the pairs of --detailed-pairs: as many forward passes as two "
            "walks for each record, so --dry-run first",
            run.parameters.width);
  line.flag("--dry-run", "Say what time, memory and disk it takes, and do no more", options.dry_run);
  add_walk_parameters(line, options.walk);
  line.heading("Network and its input");
  add_network_options(line, run.network);
  add_device_options(line, run.network);
  add_batch_option(line, run.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

/// A line for each of what is left out: what became of it, its name and why.
std::string reasons_text(const char* what, const std::vector<std::pair<std::string, std::string>>& list) {
  std::string text;
  for (const auto& [name, reason] : list) text += fmt::format("{} {}: {}\n", what, one_line(name), one_line(reason));
  return text;
}

Json named_reasons(const std::vector<std::pair<std::string, std::string>>& list, const char* what) {
  Json entries = Json::array();
  for (const auto& [name, reason] : list) {
    Json entry = Json::object();
    entry[what] = name;
    entry["reason"] = reason;
    entries.push_back(std::move(entry));
  }
  return entries;
}

void print_summary(const EvaluationSummary& summary, const EvaluateOptions& options) {
  if (options.printing.json) {
    Json result = document("evaluate");
    result["database"] = options.database;
    result["pairs"] = summary.pairs;
    result["pairs_done"] = summary.pairs_done;
    result["pairs_before"] = summary.pairs_before;
    result["outside"] = summary.outside;
    result["stopped"] = summary.stopped;
    result["seconds"] = summary.seconds;
    result["device_busy"] = summary.device_busy;
    result["unreadable"] = named_reasons(summary.unreadable, "image");
    result["dropped"] = named_reasons(summary.dropped, "source");
    print(to_text(result));
    return;
  }
  std::string text = reasons_text("unreadable", summary.unreadable) + reasons_text("dropped", summary.dropped);
  text += fmt::format(
      "{} of {} done ({} before), {} of them outside; {:.1f} s, the device busy {:.1f} % of them\n"
      "written to {}\n",
      summary.pairs_done, counted(summary.pairs, "pair"), summary.pairs_before, summary.outside, summary.seconds,
      100 * summary.device_busy, options.database);
  print(text);
}

/// Names the networks that nothing but the command line tells of: `table` and `report` cannot miss them.
std::string stop_message(const EvaluationSummary& summary) {
  std::string networks;
  for (const std::string& name : summary.not_begun) networks += (networks.empty() ? "" : ", ") + name;
  return "stopped; the same command goes on from here" +
         (networks.empty() ? "" : fmt::format("; not begun, and not in the run database yet: {}", networks));
}

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string size(std::uint64_t bytes) {
  constexpr double mebibyte = 1024.0 * 1024.0;
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / mebibyte);
}

void print_estimate(const EvaluationEstimate& estimate, const EvaluateOptions& options) {
  if (options.printing.json) {
    Json result = document("evaluate-estimate");
    result["sources"] = estimate.sources;
    result["pairs"] = estimate.pairs;
    result["seconds"] = estimate.seconds;
    result["memory_bytes"] = estimate.memory_bytes;
    result["disk_bytes"] = estimate.disk_bytes;
    result["unreadable"] = named_reasons(estimate.unreadable, "image");
    result["networks"] = Json::array();
    for (const EvaluationEstimate::Network& network : estimate.networks) {
      Json entry = Json::object();
      entry["name"] = network.name;
      entry["dropped"] = network.dropped;
      entry["pairs"] = network.pairs;
      entry["batch"] = network.batch;
      entry["seconds"] = network.seconds;
      entry["device_bytes"] = network.device_bytes;
      result["networks"].push_back(std::move(entry));
    }
    print(to_text(result));
    return;
  }
  std::string text = reasons_text("unreadable", estimate.unreadable);
  for (const EvaluationEstimate::Network& network : estimate.networks) {
    text += fmt::format("{}: {}, {} at a time, {} dropped; {}, {} on the device beside the weights\n",
                        one_line(network.name), counted(network.pairs, "pair"), network.batch,
                        counted(network.dropped, "source"), duration(network.seconds), size(network.device_bytes));
  }
  print(text + fmt::format("{} of {} in all: about {}, {} of memory, {} on disk; nothing is written\n",
                           counted(estimate.pairs, "pair"), counted(estimate.sources, "image"),
                           duration(estimate.seconds), size(estimate.memory_bytes), size(estimate.disk_bytes)));
}

bool has_empty_network(const EvaluationEstimate& estimate) {
  return std::any_of(
      estimate.networks.begin(), estimate.networks.end(),
      [](const EvaluationEstimate::Network& network) { return network.pairs == 0 && network.dropped > 0; });
}

}  // namespace

int run_evaluate(const Arguments& arguments, const StopSignals& stop) {
  EvaluateOptions options;
  if (!parse(arguments, options)) return 0;
  EvaluationOptions& run = options.run;
  run.parameters.walk = options.walk.resolve();
  run.images = options.images;
  run.labels = options.labels;
  run.lpips = options.lpips;
  run.database = options.database;
  run.cancelled = stop.cancelled();
  std::optional<ProgressDisplay> display(std::in_place, options.printing.quiet);
  run.progress = [&display](const EvaluationProgress& progress) { display->show(progress); };
  if (options.dry_run) {
    const EvaluationEstimate estimate = estimate_evaluation(run);
    display.reset();  // its bar goes before the answer comes
    print_estimate(estimate, options);
    return estimate.unreadable.empty() && !has_empty_network(estimate) ? 0 : left_something_out;
  }
  EvaluationSummary summary;
  run.message = [&display](const std::string& text) { display->message(text); };
  summary = evaluate(run);
  if (options.lpips.empty()) display->message("without --lpips there is no LPIPS: null in the run database");
  if (summary.stopped) display->message(stop_message(summary));
  display.reset();
  print_summary(summary, options);
  if (summary.stopped) return stop.exit_code();
  return summary.unreadable.empty() && summary.without_sources.empty() ? 0 : left_something_out;
}

}  // namespace blindspot::tools
