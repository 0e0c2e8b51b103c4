// Implementation of options.h.
#include "tools/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

constexpr std::int64_t largest_count = 1'000'000'000;
constexpr std::int64_t largest_side = 65535;

bool is_device_name(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  if (!text.starts_with("cuda:") || text.size() < 6 || text.size() > 8) return false;
  return std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void read_device(const std::string& text, std::string& device) {
  if (!is_device_name(text)) {
    throw Error(ErrorKind::usage, fmt::format("--device {}: it must be auto, cpu or cuda[:N]", text));
  }
  device = text;
}

Precision read_precision(const std::string& text) {
  try {
    return precision_from(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, fmt::format("--precision: {}", error.what()));
  }
}

Interpolation read_interpolation(const std::string& text) {
  if (text == "bilinear") return Interpolation::bilinear;
  if (text == "bicubic") return Interpolation::bicubic;
  throw Error(ErrorKind::usage, fmt::format("--interpolation {}: it must be bilinear or bicubic", text));
}

WalkParameters read_preset(const std::string& text) {
  if (text == "paper") return WalkParameters::paper();
  if (text == "authors-default") return WalkParameters::authors_default();
  throw Error(ErrorKind::usage, fmt::format("--preset {}: it must be paper or authors-default", text));
}

WalkMode read_mode(const std::string& text) {
  if (text == "default") return WalkMode::standard;
  if (text == "reference") return WalkMode::reference;
  throw Error(ErrorKind::usage, fmt::format("--mode {}: it must be default or reference", text));
}

int read_side(const std::string& option, const std::string& text, std::int64_t smallest) {
  return static_cast<int>(read_count(option, text, smallest, largest_side));
}

}  // namespace

void add_printing_options(CommandLine& line, PrintingOptions& options) {
  line.heading("Printing");
  line.flag("--json", "Print one JSON document and nothing else", options.json);
  line.flag("--quiet", "No progress and no messages, errors excepted", options.quiet);
}

void add_place_options(CommandLine& line, std::string& device, int& threads) {
  line.heading("Device");
  line.option("--device", "NAME", "auto, cpu or cuda[:N] (auto)",
              [&device](const std::string& text) { read_device(text, device); });
  line.option("--threads", "N", "Threads, 0 for all cores (0)", [&threads](const std::string& text) {
    threads = static_cast<int>(read_count("--threads", text, 0, 4096));
  });
}

void add_device_options(CommandLine& line, ModelOptions& options) {
  add_place_options(line, options.device, options.threads);
  line.option("--precision", "NAME", "fp32, tf32, bf16 or fp16 (fp32 on the CPU, tf32 on CUDA)",
              [&options](const std::string& text) { options.precision = read_precision(text); });
}

void add_mode_option(CommandLine& line, WalkMode& mode) {
  line.option("--mode", "NAME", "default, or reference: as the authors' code decides, defects included (default)",
              [&mode](const std::string& text) { mode = read_mode(text); });
}

void add_lpips_option(CommandLine& line, std::string& file) {
  line.option("--lpips", "FILE", "What `weights convert ALEXNET --lpips-heads HEADS` wrote; without it LPIPS is null",
              file);
}

void add_architecture_options(CommandLine& line, std::string& architecture, std::optional<std::int64_t>& heads) {
  line.heading("Network and its input");
  line.option("--architecture", "NAME", "Where the file does not tell", architecture);
  line.option("--heads", "N", "Attention heads of a vision transformer, where the file does not tell (width/64)",
              [&heads](const std::string& text) { heads = read_count("--heads", text, 1, largest_count); });
}

void add_preprocessing_options(CommandLine& line, PreprocessingOptions& preprocessing) {
  line.heading("Network and its input");
  line.option("--mean", "R,G,B", "Subtracted from each channel",
              [&preprocessing](const std::string& text) { preprocessing.mean = read_channels("--mean", text); });
  line.option("--std", "R,G,B", "What each channel is then divided by", [&preprocessing](const std::string& text) {
    preprocessing.deviation = read_channels("--std", text);
    for (const float value : *preprocessing.deviation) {
      if (!(value > 0)) throw Error(ErrorKind::usage, fmt::format("--std {}: each must be above 0", text));
    }
  });
  line.option(
      "--input-size", "N", "Width and height of the network's input",
      [&preprocessing](const std::string& text) { preprocessing.input_size = read_side("--input-size", text, 1); });
  line.option("--resize", "N", "Shorter side before the crop, 0 for both sides to the crop",
              [&preprocessing](const std::string& text) { preprocessing.resize = read_side("--resize", text, 0); });
  line.option("--crop", "N", "Side of the centre that is kept",
              [&preprocessing](const std::string& text) { preprocessing.crop = read_side("--crop", text, 1); });
  line.option("--interpolation", "NAME", "bilinear or bicubic",
              [&preprocessing](const std::string& text) { preprocessing.interpolation = read_interpolation(text); });
}

void add_batch_option(CommandLine& line, ModelOptions& options) {
  line.option("--batch", "N", "Images at a time, 0 to let the device choose (0)",
              [&options](const std::string& text) { options.batch = read_count("--batch", text, 0, 65536); });
}

ModelOptions stoppable(ModelOptions options, const StopSignals& stop) {
  options.cancelled = stop.cancelled();
  return options;
}

WalkParameters WalkChoice::resolve() const {
  WalkParameters parameters = preset;
  parameters.step_size = step_size.value_or(parameters.step_size);
  parameters.iterations = iterations.value_or(parameters.iterations);
  parameters.delta = delta.value_or(parameters.delta);
  parameters.adversarial = adversarial.value_or(parameters.adversarial);
  parameters.adversarial_step = adversarial_step.value_or(parameters.adversarial_step);
  parameters.seed = seed.value_or(parameters.seed);
  parameters.record_every = record_every.value_or(parameters.record_every);
  parameters.mode = mode;
  parameters.check();
  return parameters;
}

void add_walk_parameters(CommandLine& line, WalkChoice& choice) {
  const auto number = [&line](const std::string& name, const std::string& description, std::optional<float>& value) {
    line.option(name, "X", description, [name, &value](const std::string& text) { value = read_number(name, text); });
  };
  const auto count = [&line](const std::string& name, const std::string& description, std::int64_t smallest,
                             std::optional<std::int64_t>& value) {
    line.option(name, "N", description, [name, smallest, &value](const std::string& text) {
      value = read_count(name, text, smallest, largest_count);
    });
  };
  line.heading("Walk");
  line.option("--preset", "NAME", "paper (0.01, 400, 0.2, adversarial, 0.002) or authors-default (paper)",
              [&choice](const std::string& text) { choice.preset = read_preset(text); });
  number("--step-size", "Share of the way to the target in one step, above 0", choice.step_size);
  count("--iterations", "Steps of a walk", 0, choice.iterations);
  number("--delta", "Confidence that may be lost, 0 to 1", choice.delta);
  line.flag("--adversarial", "Also push against the class's loss",
            [&choice](bool given) { choice.adversarial = given; });
  line.flag("--no-adversarial", "Do not", [&choice](bool given) {
    if (choice.adversarial) throw Error(ErrorKind::usage, "--adversarial and --no-adversarial exclude each other");
    choice.adversarial = !given;
  });
  number("--adversarial-step", "Largest such push a value, 0 or more", choice.adversarial_step);
  line.option("--seed", "N", "Of the random start (0)",
              [&choice](const std::string& text) { choice.seed = read_seed("--seed", text); });
  count("--record-every", "Steps between two records (20)", 1, choice.record_every);
  add_mode_option(line, choice.mode);
}

void add_walk_options(CommandLine& line, WalkChoice& choice) {
  add_walk_parameters(line, choice);
  line.option("--noise", "FILE", "Tensor `noise` [pairs,3,H,W] in [0,1): the start's instead of the generator's",
              choice.noise_file);
  line.flag("--width", "Measure the path width at every record: as many forward passes as two walks, each",
            choice.width);
  line.flag("--keep-path", "Store the images of all records in images.safetensors", choice.keep_path);
  line.flag("--animate", "Also each walk as a moving picture, path-I-J.apng", choice.animate);
}

void add_output_options(CommandLine& line, OutputOptions& options, const std::string& placeholder,
                        const std::string& description) {
  line.heading("Output");
  line.option("-o,--output", placeholder, description, options.path, Need::required);
  line.flag("--overwrite", "Replace what is there", options.overwrite);
}

void add_class_names_option(CommandLine& line, std::string& file) {
  line.option("--class-names", "FILE", "Names of the classes, one a line", file);
}

}  // namespace blindspot::tools
