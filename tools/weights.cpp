// `blindspot weights`: finds the command behind it; those that look into weight files, convert them and make them from
// the rule stand here. Uses the public headers and the shared pieces of tools/.
#include "blindspot/weights.h"
#include "blindspot/one_line.h"

#include <fmt/format.h>

#include <array>

#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/near_miss.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/output_folder.h"
#include "tools/weights_commands.h"

namespace blindspot::tools {

namespace {

Json summary_json(const WeightSummary& summary) {
  Json result = document("weights-inspect");
  result["format"] = summary.format;
  result["architecture"] = summary.architecture.empty() ? Json(nullptr) : Json(summary.architecture);
  result["sha256"] = summary.sha256;
  result["metadata"] = Json::object();
  for (const auto& [key, value] : summary.metadata) result["metadata"][key] = value;
  result["tensors"] = Json::array();
  for (const TensorSummary& tensor : summary.tensors) {
    Json entry = Json::object();
    entry["name"] = tensor.name;
    entry["shape"] = tensor.shape;
    entry["dtype"] = tensor.type;
    result["tensors"].push_back(std::move(entry));
  }
  return result;
}

std::string summary_text(const WeightSummary& summary) {
  std::string text = fmt::format("format: {}\narchitecture: {}\nsha256: {}\n", summary.format,
                                 summary.architecture.empty() ? "unknown" : summary.architecture, summary.sha256);
  for (const auto& [key, value] : summary.metadata) text += fmt::format("{}: {}\n", one_line(key), one_line(value));
  text += fmt::format("{}:\n", counted(summary.tensors.size(), "tensor"));
  for (const TensorSummary& tensor : summary.tensors) {
    text += fmt::format("  {} {} {}\n", one_line(tensor.name), tensor.type, shape_text(tensor.shape));
  }
  return text;
}

int inspect(const Arguments& arguments, const StopSignals& stop) {
  std::string file;
  PrintingOptions printing;
  CommandLine line("weights inspect", "What a weight file holds.", "blindspot weights inspect resnet50.pth --json");
  line.argument("FILE", file, "safetensors, .pth, .pt or .th");
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  const WeightSummary summary = inspect_weights(file, stop.cancelled());
  print(printing.json ? to_text(summary_json(summary)) : summary_text(summary));
  return 0;
}

/// What convert and random say of the file that they wrote.
void print_written(const std::string& schema, const std::string& path, bool json, const StopSignals& stop) {
  const WeightSummary summary = inspect_weights(path, stop.cancelled());
  if (json) {
    Json result = document(schema);
    result["output"] = path;
    result["architecture"] = summary.architecture.empty() ? Json(nullptr) : Json(summary.architecture);
    result["sha256"] = summary.sha256;
    result["tensors"] = summary.tensors.size();
    print(to_text(result));
    return;
  }
  print(fmt::format("{}: {}, {}\n", path,
                    summary.architecture.empty() ? "no network that is known" : summary.architecture,
                    counted(summary.tensors.size(), "tensor")));
}

int convert(const Arguments& arguments, const StopSignals& stop) {
  std::string input;
  std::string heads;
  ConvertOptions options;
  OutputOptions output;
  PrintingOptions printing;
  CommandLine line(
      "weights convert",
      "Any weight file to safetensors: float32, names as torchvision or timm have them, metadata filled in.",
      "blindspot weights convert resnet50.pth -o resnet50.safetensors");
  line.argument("IN", input, "safetensors, .pth, .pt or .th");
  line.flag("--as-is", "Any well-formed file, a network or not, its own names", options.as_is);
  line.option("--lpips-heads", "FILE", "With AlexNet as IN: one file for LPIPS from it and these 1x1 weights", heads);
  add_output_options(line, output, "OUT", "The safetensors file to write");
  add_network_options(line, options);
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  if (options.heads && (options.as_is || !heads.empty())) {
    throw Error(ErrorKind::usage, "--heads: is of use for vision transformers only, not with --as-is or --lpips-heads");
  }
  if (options.as_is && !heads.empty()) throw Error(ErrorKind::usage, "--as-is and --lpips-heads exclude each other");
  options.lpips_heads = heads;
  options.overwrite = output.overwrite;
  options.cancelled = stop.cancelled();
  check_output_file(output.path, output.overwrite);
  convert_weights(input, output.path, options);
  print_written("weights-convert", output.path, printing.json, stop);
  return 0;
}

int random(const Arguments& arguments, const StopSignals& stop) {
  std::string architecture;
  std::uint64_t seed = 1;
  OutputOptions output;
  PrintingOptions printing;
  CommandLine line("weights random", "Weights of an architecture, made from a rule: for measuring and testing.",
                   "blindspot weights random resnet50 --seed 1 -o random.safetensors");
  line.argument("ARCH", architecture, "Name of an architecture, such as resnet50 or vit_b_16");
  line.option("--seed", "N", "Which weights (1)",
              [&seed](const std::string& text) { seed = read_seed("--seed", text); });
  add_output_options(line, output, "FILE", "The safetensors file to write");
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  check_output_file(output.path, output.overwrite);
  write_random_weights(architecture, seed, output.path, output.overwrite, stop.cancelled());
  print_written("weights-random", output.path, printing.json, stop);
  return 0;
}

struct WeightsCommand {
  const char* name;
  const char* summary;
  int (*run)(const Arguments&, const StopSignals&);
};

constexpr std::array<WeightsCommand, 6> weights_commands{{
    {"list", "published networks that can be had by name", run_weights_list},
    {"fetch", "download one of them, or take a file that is one", run_weights_fetch},
    {"verify", "whether what was fetched is still what it was", run_weights_verify},
    {"inspect", "what a file holds", inspect},
    {"convert", "any file to safetensors with float32 and metadata", convert},
    {"random", "weights made from a rule", random},
}};

std::string joined_names(const char* between) {
  std::string text;
  for (const WeightsCommand& command : weights_commands)
    text += (text.empty() ? "" : between) + std::string(command.name);
  return text;
}

void print_weights_help() {
  std::string text = fmt::format(
      "Fetch published weights, look into weight files, convert them, make them from a rule.\n\n"
      "Usage: blindspot weights {} [OPTION...]\n\nCommands:\n",
      joined_names("|"));
  for (const WeightsCommand& command : weights_commands) {
    text += fmt::format("  {:<7}  {}\n", command.name, command.summary);
  }
  print(text + "\nEach has --help of its own.\n\nExample:\n  blindspot weights inspect resnet50.pth\n");
}

}  // namespace

int run_weights(const Arguments& arguments, const StopSignals& stop) {
  if (arguments.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("weights needs one of {} (see blindspot weights --help)", joined_names(", ")));
  }
  const std::string& name = arguments.front();
  const Arguments rest(arguments.begin() + 1, arguments.end());
  std::vector<std::string> names;
  for (const WeightsCommand& command : weights_commands) {
    if (name == command.name) return command.run(rest, stop);
    names.emplace_back(command.name);
  }
  if (name != "-h" && name != "--help") {
    throw Error(ErrorKind::usage,
                fmt::format("weights: no command {}{} (see blindspot weights --help)", name, near_miss(name, names)));
  }
  print_weights_help();
  return 0;
}

}  // namespace blindspot::tools
