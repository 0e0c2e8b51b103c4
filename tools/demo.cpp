// `blindspot demo`: draws pictures, walks between them with a built-in network and says what was found; or only draws.
// Uses the public headers and the shared pieces of tools/.
#include "blindspot/demo.h"

#include <fmt/format.h>

#include <algorithm>

#include "blindspot/distances.h"
#include "tools/commands.h"
#include "tools/numbers.h"
#include "tools/walk_command.h"

namespace blindspot::tools {

namespace {

constexpr std::size_t pictures_of_demo = 4;

struct DemoOptions {
  WalkRequest request;
  std::string images;
  std::optional<std::int64_t> count;
  std::uint64_t seed = 0;
};

bool parse(const Arguments& arguments, DemoOptions& options) {
  CommandLine line(
      "demo",
      "Draw pictures and walk between them with a built-in network. With --images only draw: labelled pictures "
      "in class folders.",
      "blindspot demo -o found\nblindspot demo --images pictures --count 100");
  line.argument("MODEL", options.request.model, "demo-resnet or demo-vit (demo-resnet)", Need::optional);
  line.heading("Output");
  line.option("-o,--output", "DIR", "Folder of the result (blindspot-demo)", options.request.output.path);
  line.flag("--overwrite", "Replace what is there", options.request.output.overwrite);
  line.option("--images", "DIR", "Write labelled pictures into this folder instead of walking", options.images);
  line.option("--count", "N", "How many, over all classes (100)",
              [&options](const std::string& text) { options.count = read_count("--count", text, 1, 1'000'000); });
  line.heading("Walk");
  line.option("--seed", "N", "Which pictures, and of the random start (0)",
              [&options](const std::string& text) { options.seed = read_seed("--seed", text); });
  line.option("--iterations", "N", "Steps of a walk (400)", [&options](const std::string& text) {
    options.request.walk.iterations = read_count("--iterations", text, 0, 1'000'000);
  });
  add_lpips_option(line, options.request.lpips);
  add_device_options(line, options.request.network);
  add_printing_options(line, options.request.printing);
  return line.parse(arguments);
}

/// What is of no use when pictures are only drawn; said rather than ignored.
void refuse_what_walks(const DemoOptions& options) {
  const WalkRequest& request = options.request;
  const auto refuse = [](bool given, const std::string& option, const std::string& why) {
    if (given) throw Error(ErrorKind::usage, fmt::format("{}: is of no use with --images, {}", option, why));
  };
  refuse(!request.model.empty(), "MODEL", "which only draws");
  refuse(!request.output.path.empty(), "--output", "which names the folder itself");
  refuse(request.output.overwrite, "--overwrite", "which only fills a new or an empty folder");
  refuse(request.walk.iterations.has_value(), "--iterations", "which only draws");
  refuse(!request.lpips.empty(), "--lpips", "which only draws");
}

/// Class folders sort in the order of the classes: "0-NAME", "1-NAME", …
std::string class_folder(std::size_t label) {
  return fmt::format("{}-{}", label, drawn_class_names()[label]);
}

int write_pictures(const DemoOptions& options, const StopSignals& stop) {
  OutputFolder folder(options.images, false, false);
  const std::size_t classes = drawn_class_names().size();
  const auto count = static_cast<std::uint64_t>(options.count.value_or(100));
  for (std::uint64_t i = 0; i < count; ++i) {
    stop_if(stop.cancelled());
    const std::size_t label = i % classes;
    const std::filesystem::path path = folder.path() / class_folder(label);
    std::filesystem::create_directories(path);
    write_png(path / fmt::format("{:04}.png", i / classes),
              draw_picture(static_cast<int>(label), i / classes, options.seed));
  }
  folder.commit();
  if (options.request.printing.json) {
    Json result = document("demo-images");
    result["output"] = options.images;
    result["count"] = count;
    result["seed"] = options.seed;
    result["classes"] = drawn_class_names();
    print(to_text(result));
  } else {
    print(fmt::format("{} pictures of {} classes are in {}\n", count, std::min<std::uint64_t>(count, classes),
                      options.images));
  }
  return 0;
}

/// The first picture of a class that the network sees as such with more than 0.6, as the paper chooses its examples.
Participant choose_picture(Model& model, std::size_t label, std::uint64_t seed, std::size_t place) {
  constexpr std::uint64_t most_tries = 100;
  constexpr float sure_enough = 0.6F;
  const Preprocessing& preprocessing = model.information().preprocessing;
  const std::string name = fmt::format("image-{}.png", place);
  for (std::uint64_t number = 0; number < most_tries; ++number) {
    const Picture picture = draw_picture(static_cast<int>(label), number, seed);
    std::vector<NamedImage> one;
    one.push_back({name, to_image(preprocess(picture, preprocessing))});
    std::vector<Participant> seen = classify_all(model, std::move(one));
    const bool right = seen[0].predicted == static_cast<std::int32_t>(label);
    if (right && seen[0].probability > sure_enough) return std::move(seen[0]);
  }
  throw Error(ErrorKind::usage, fmt::format("{}: does not know a drawn {}; take demo-resnet or demo-vit",
                                            model.information().name, drawn_class_names()[label]));
}

/// Pictures of different classes, which ones the seed decides.
std::vector<Participant> choose_pictures(Model& model, std::uint64_t seed) {
  const std::size_t classes = drawn_class_names().size();
  if (model.information().class_count != static_cast<std::int64_t>(classes)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: knows other classes than the drawn ones; take demo-resnet or demo-vit",
                            model.information().name));
  }
  std::vector<Participant> pictures;
  for (std::size_t place = 0; place < pictures_of_demo; ++place) {
    // Steps of three reach all ten classes before one comes again.
    const std::size_t label = (static_cast<std::size_t>(seed % classes) + 3 * place) % classes;
    pictures.push_back(choose_picture(model, label, seed, place));
  }
  return pictures;
}

std::string story(const WalkPlan& plan, const std::vector<WalkedPair>& walked, const ClassNames& names,
                  const std::string& folder) {
  const Participant& source = plan.sources[0];
  const auto percent = [](float probability) { return 100 * static_cast<double>(probability); };
  std::string text = fmt::format("To the network image-0.png is \"{}\", with a confidence of {:.1f} %.\n",
                                 names.label(source.predicted), percent(source.probability));
  for (const WalkedPair& pair : walked) {
    if (pair.numbers.source != 0) continue;
    const Participant& target = plan.targets[pair.numbers.target];
    text += fmt::format(
        "Walked towards {} (\"{}\") it ends at a distance of {:.4f} (they began {:.4f} apart), and the "
        "network still says \"{}\", with {:.1f} %.\n",
        target.path, names.label(target.predicted), pair.rmse, rmse(source.image, target.image),
        names.label(source.predicted), percent(pair.result.probability));
  }
  std::size_t inside = 0;
  for (const WalkedPair& pair : walked) inside += pair.result.outside ? 0 : 1;
  return text +
         fmt::format(
             "Of {} walks between {} pictures {} end where the confidence is less than {} below its start; distances "
             "are root mean squares of pixel differences.\n"
             "Look at {}/grid.png: each column starts from the picture on the diagonal and looks like the "
             "row's.\n{}/path-0-1.png shows one walk step by step; result.json and images.safetensors hold "
             "the numbers.\n",
             walked.size(), plan.sources.size(), inside, plan.parameters.delta, folder, folder);
}

}  // namespace

int run_demo(const Arguments& arguments, const StopSignals& stop) {
  DemoOptions options;
  if (!parse(arguments, options)) return 0;
  if (!options.images.empty()) {
    refuse_what_walks(options);
    return write_pictures(options, stop);
  }
  if (options.count) throw Error(ErrorKind::usage, "--count: is of use with --images only");
  WalkRequest& request = options.request;
  request.grid = true;
  request.walk.seed = options.seed;
  if (request.model.empty()) request.model = "demo-resnet";
  if (request.output.path.empty()) request.output.path = "blindspot-demo";

  OpenedWalk walk(request, stop);
  walk.plan.sources = choose_pictures(walk.model, options.seed);
  walk.plan.targets = walk.plan.sources;
  walk.plan.pairs = every_ordered_pair(walk.plan.sources.size());
  for (const Participant& picture : walk.plan.sources) {
    write_png(walk.folder.path() / picture.path, to_picture(picture.image));
  }
  const WalkOutcome outcome = walk_and_save(walk, request);
  if (request.printing.json) {
    print_outcome(outcome, walk, request);
  } else if (outcome.saved) {
    print(story(walk.plan, outcome.walked, walk.names, request.output.path));
  }
  return outcome.exit_code;
}

}  // namespace blindspot::tools
