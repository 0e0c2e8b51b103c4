// `blindspot grid`: walks between every two of some images and lays the results out as the paper does. Uses the public
// headers and the shared pieces of tools/.
#include "tools/commands.h"
#include "tools/walk_command.h"

namespace blindspot::tools {

namespace {

bool parse(const Arguments& arguments, WalkRequest& request, std::vector<std::string>& images) {
  CommandLine line("grid",
                   "Walk between every two of the images, both ways. grid.png shows in row i, column j the walk from "
                   "image j to image i.",
                   "blindspot grid demo-resnet a.png b.png c.png -o out");
  line.argument("MODEL", request.model,
                "Weight file, Hugging Face folder, name in the weight folder, demo-resnet or demo-vit");
  line.arguments("IMG", images, "Two images or more");
  add_walk_request(line, request, "Folder for grid.png, result.json, images.safetensors and pictures");
  return line.parse(arguments);
}

}  // namespace

int run_grid(const Arguments& arguments, const StopSignals& stop) {
  WalkRequest request;
  request.grid = true;
  std::vector<std::string> files;
  if (!parse(arguments, request, files)) return 0;
  OpenedWalk walk(request, stop);
  std::vector<NamedImage> images = load_all(files, walk.model.information().preprocessing, stop.cancelled());
  if (images.size() < 2) throw Error(ErrorKind::usage, "IMG: a grid needs two images or more");
  walk.plan.sources = classify_all(walk.model, std::move(images));
  walk.plan.targets = walk.plan.sources;
  walk.plan.pairs = every_ordered_pair(walk.plan.sources.size());

  const WalkOutcome outcome = walk_and_save(walk, request);
  print_outcome(outcome, walk, request);
  return outcome.exit_code;
}

}  // namespace blindspot::tools
