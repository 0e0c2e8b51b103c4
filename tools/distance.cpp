// `blindspot distance`: how far two images lie apart. Uses the public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include <array>
#include <iostream>

#include "blindspot/distances.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/missing_distances.h"
#include "tools/options.h"

namespace blindspot::tools {

namespace {

struct DistanceCommand {
  std::array<std::string, 2> images;
  std::string lpips;
  DistanceOptions options;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, DistanceCommand& command) {
  CommandLine line("distance",
                   "L2, RMSE, the largest difference, SSIM and LPIPS of two images of one size, as their files hold "
                   "them.",
                   "blindspot distance out/final-0-0.png cat.png --lpips lpips.safetensors");
  line.argument("A", command.images[0], "JPEG, PNG, or .safetensors with a tensor `image`");
  line.argument("B", command.images[1], "The other");
  line.heading("Distances");
  add_lpips_option(line, command.lpips);
  add_mode_option(line, command.options.mode);
  add_place_options(line, command.options.device, command.options.threads);
  add_printing_options(line, command.printing);
  return line.parse(arguments);
}

NamedImage load_one(const std::string& file) {
  std::vector<NamedImage> loaded = load_images_as_they_are(file);
  if (loaded.size() == 1) return std::move(loaded[0]);
  throw Error(ErrorKind::input, fmt::format("{}: holds {} images, but one is needed here", file, loaded.size()));
}

void check_sizes(const NamedImage& a, const NamedImage& b) {
  if (a.image.height == b.image.height && a.image.width == b.image.width) return;
  throw Error(ErrorKind::input, fmt::format("{} is {}x{}, {} is {}x{}: bring them to one size", a.name, a.image.width,
                                            a.image.height, b.name, b.image.width, b.image.height));
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string optional_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.6f}", *value) : "none";
}

}  // namespace

int run_distance(const Arguments& arguments, const StopSignals& stop) {
  DistanceCommand command;
  if (!parse(arguments, command)) return 0;
  command.options.lpips = command.lpips;
  command.options.cancelled = stop.cancelled();
  DistanceMeasure measure = DistanceMeasure::open(command.options);
  const std::array<NamedImage, 2> images = {load_one(command.images[0]), load_one(command.images[1])};
  check_sizes(images[0], images[1]);
  const std::array<ImagePair, 1> pair = {{{&images[0].image, &images[1].image}}};
  const Distances distances = measure.measure(pair).at(0);
  const std::string missing = missing_distances(distances, !command.lpips.empty());
  if (!command.printing.quiet && !missing.empty()) std::cerr << missing << '\n';
  if (!command.printing.json) {
    print(fmt::format("L2    {:.6f}\nRMSE  {:.6f}\nLinf  {:.6f}\nSSIM  {}\nLPIPS {}\n", distances.l2, distances.rmse,
                      distances.linf, optional_text(distances.ssim), optional_text(distances.lpips)));
    return 0;
  }
  Json result = document("distance");
  result["images"] = {images[0].name, images[1].name};
  result["mode"] = command.options.mode == WalkMode::reference ? "reference" : "default";
  result["l2"] = distances.l2;
  result["rmse"] = distances.rmse;
  result["linf"] = distances.linf;
  result["ssim"] = optional_json(distances.ssim);
  result["lpips"] = optional_json(distances.lpips);
  result["lpips_layers"] = distances.lpips ? Json(distances.lpips_layers) : Json(nullptr);
  result["lpips_sha256"] = command.lpips.empty() ? Json(nullptr) : Json(measure.lpips_sha256());
  print(to_text(result));
  return 0;
}

}  // namespace blindspot::tools
