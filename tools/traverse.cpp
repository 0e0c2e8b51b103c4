// `blindspot traverse`: walks from every source towards every target. Uses the public headers and the shared pieces of
// tools/.
#include <fmt/format.h>

#include "tools/commands.h"
#include "tools/numbers.h"
#include "tools/walk_command.h"

namespace blindspot::tools {

namespace {

struct TraverseOptions {
  WalkRequest request;
  std::vector<std::string> sources, targets;
  std::optional<std::int64_t> source_class;
};

bool parse(const Arguments& arguments, TraverseOptions& options) {
  CommandLine line("traverse",
                   "Walk from every source towards every target while the network stays sure of the source's class.",
                   "blindspot traverse resnet50.safetensors --source dog.jpg --target cat.jpg car.jpg -o out");
  line.argument("MODEL", options.request.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.list("--source", "IMG", "Images to start from", options.sources, Need::required);
  line.list("--target", "IMG", "Images to go to", options.targets, Need::required);
  line.option("--source-class", "K", "Class of the sources; others are dropped (the network's own prediction)",
              [&options](const std::string& text) {
                options.source_class = read_count("--source-class", text, 0, 1'000'000'000);
              });
  add_walk_request(line, options.request, "Folder for result.json, images.safetensors and pictures");
  return line.parse(arguments);
}

void check_source_class(const TraverseOptions& options, std::int64_t class_count) {
  if (options.source_class && *options.source_class >= class_count) {
    throw Error(ErrorKind::usage, fmt::format("--source-class {}: the network has the classes 0 to {}",
                                              *options.source_class, class_count - 1));
  }
}

/// Source-major; sources that the network does not put in the asked class are dropped.
void pair_up(WalkPlan& plan, const std::optional<std::int64_t>& source_class, const ClassNames& names) {
  for (std::size_t i = 0; i < plan.sources.size(); ++i) {
    const Participant& source = plan.sources[i];
    if (source_class && source.predicted != *source_class) {
      plan.dropped.push_back(
          {source.path, fmt::format("the network sees {} ({:.4f}), not {}", names.label(source.predicted),
                                    source.probability, names.label(*source_class))});
      continue;
    }
    for (std::size_t j = 0; j < plan.targets.size(); ++j) plan.pairs.push_back({i, j});
  }
}

}  // namespace

int run_traverse(const Arguments& arguments, const StopSignals& stop) {
  TraverseOptions options;
  if (!parse(arguments, options)) return 0;
  OpenedWalk walk(options.request, stop);
  check_source_class(options, walk.model.information().class_count);
  const Preprocessing& preprocessing = walk.model.information().preprocessing;
  std::vector<NamedImage> sources = load_all(options.sources, preprocessing, stop.cancelled());
  std::vector<NamedImage> targets = load_all(options.targets, preprocessing, stop.cancelled());
  walk.plan.sources = classify_all(walk.model, std::move(sources));
  walk.plan.targets = classify_all(walk.model, std::move(targets));
  pair_up(walk.plan, options.source_class, walk.names);

  const WalkOutcome outcome = walk_and_save(walk, options.request);
  print_outcome(outcome, walk, options.request);
  return outcome.exit_code;
}

}  // namespace blindspot::tools
