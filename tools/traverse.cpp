// `blindspot traverse`: walks from every source towards every target. Uses the public headers and the shared pieces of
// tools/.
#include <fmt/format.h>

#include "tools/commands.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/walk_command.h"

namespace blindspot::tools {

namespace {

struct TraverseOptions {
  std::string model;
  std::vector<std::string> sources, targets;
  std::string class_names;
  std::optional<std::int64_t> source_class;
  ModelOptions network;
  WalkChoice walk;
  OutputOptions output;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, TraverseOptions& options) {
  CommandLine line("traverse",
                   "Walk from every source towards every target while the network stays sure of the source's class.",
                   "blindspot traverse resnet50.safetensors --source dog.jpg --target cat.jpg car.jpg -o out");
  line.argument("MODEL", options.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.list("--source", "IMG", "Images to start from", options.sources, Need::required);
  line.list("--target", "IMG", "Images to go to", options.targets, Need::required);
  line.option("--source-class", "K", "Class of the sources; others are dropped (the network's own prediction)",
              [&options](const std::string& text) {
                options.source_class = read_count("--source-class", text, 0, 1'000'000'000);
              });
  add_class_names_option(line, options.class_names);
  add_output_options(line, options.output, "DIR", "Folder for result.json, images.safetensors and pictures");
  add_walk_options(line, options.walk);
  add_network_options(line, options.network.architecture, options.network.preprocessing);
  add_device_options(line, options.network);
  add_batch_option(line, options.network);
  add_printing_options(line, options.printing);
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

int run_traverse(const Arguments& arguments) {
  TraverseOptions options;
  if (!parse(arguments, options)) return 0;
  WalkPlan plan;
  plan.parameters = options.walk.resolve();
  plan.noise_file = options.walk.noise_file;
  plan.keep_path = options.walk.keep_path;

  const StopSignals stop;
  OutputFolder folder(options.output.path, options.output.overwrite);
  Model model = Model::open(options.model, options.network);
  check_source_class(options, model.information().class_count);
  const ClassNames names(options.class_names, model.information());
  const Preprocessing& preprocessing = model.information().preprocessing;
  std::vector<NamedImage> sources = load_all(options.sources, preprocessing);
  std::vector<NamedImage> targets = load_all(options.targets, preprocessing);
  load_noise(plan, preprocessing.input_size);
  plan.sources = classify_all(model, std::move(sources));
  plan.targets = classify_all(model, std::move(targets));
  pair_up(plan, options.source_class, names);

  const WalkCommand command{"traverse", false, options.printing.quiet, options.output.path};
  const WalkOutcome outcome = walk_and_save(model, plan, names, command, folder, stop);
  print_outcome(outcome, plan, names, command, options.printing.json);
  return outcome.exit_code;
}

}  // namespace blindspot::tools
