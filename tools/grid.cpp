// `blindspot grid`: walks between every two of some images and lays the results out as the paper does. Uses the public
// headers and the shared pieces of tools/.
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/walk_command.h"

namespace blindspot::tools {

namespace {

struct GridOptions {
  std::string model;
  std::vector<std::string> images;
  std::string class_names;
  ModelOptions network;
  WalkChoice walk;
  OutputOptions output;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, GridOptions& options) {
  CommandLine line("grid",
                   "Walk between every two of the images, both ways. grid.png shows in row i, column j the walk from "
                   "image j to image i.",
                   "blindspot grid demo-resnet a.png b.png c.png -o out");
  line.argument("MODEL", options.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.arguments("IMG", options.images, "Two images or more");
  add_class_names_option(line, options.class_names);
  add_output_options(line, options.output, "DIR", "Folder for grid.png, result.json, images.safetensors and pictures");
  add_walk_options(line, options.walk);
  add_network_options(line, options.network.architecture, options.network.preprocessing);
  add_device_options(line, options.network);
  add_batch_option(line, options.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

}  // namespace

int run_grid(const Arguments& arguments) {
  GridOptions options;
  if (!parse(arguments, options)) return 0;
  WalkPlan plan;
  plan.parameters = options.walk.resolve();
  plan.noise_file = options.walk.noise_file;
  plan.keep_path = options.walk.keep_path;

  const StopSignals stop;
  OutputFolder folder(options.output.path, options.output.overwrite);
  Model model = Model::open(options.model, options.network);
  const ClassNames names(options.class_names, model.information());
  std::vector<NamedImage> images = load_all(options.images, model.information().preprocessing);
  if (images.size() < 2) throw Error(ErrorKind::usage, "IMG: a grid needs two images or more");
  load_noise(plan, model.information().preprocessing.input_size);
  plan.sources = classify_all(model, std::move(images));
  plan.targets = plan.sources;
  plan.pairs = every_ordered_pair(plan.sources.size());

  const WalkCommand command{"grid", true, options.printing.quiet, options.output.path};
  const WalkOutcome outcome = walk_and_save(model, plan, names, command, folder, stop);
  print_outcome(outcome, plan, names, command, options.printing.json);
  return outcome.exit_code;
}

}  // namespace blindspot::tools
