// Options that several commands share: the network and how its input is made, the walk, what is printed. Uses the
// public headers and command_line.h.
#pragma once

#include <optional>
#include <string>

#include "blindspot/model.h"
#include "blindspot/walk.h"
#include "tools/command_line.h"
#include "tools/signals.h"

namespace blindspot::tools {

/// What every command takes.
struct PrintingOptions {
  bool json = false;   ///< one JSON document on stdout and nothing else
  bool quiet = false;  ///< nothing on stderr but errors
};

void add_printing_options(CommandLine& line, PrintingOptions& options);

/// --device, --precision, --threads.
void add_device_options(CommandLine& line, ModelOptions& options);
/// --device, --threads, for what has one precision only.
void add_place_options(CommandLine& line, std::string& device, int& threads);
/// --mode.
void add_mode_option(CommandLine& line, WalkMode& mode);
/// --lpips.
void add_lpips_option(CommandLine& line, std::string& file);
/// --architecture, --heads.
void add_architecture_options(CommandLine& line, std::string& architecture, std::optional<std::int64_t>& heads);
/// --mean, --std, --input-size, --resize, --crop, --interpolation.
void add_preprocessing_options(CommandLine& line, PreprocessingOptions& preprocessing);
/// Both, for ModelOptions and ConvertOptions.
template <typename Options>
void add_network_options(CommandLine& line, Options& options) {
  add_architecture_options(line, options.architecture, options.heads);
  add_preprocessing_options(line, options.preprocessing);
}
/// --batch.
void add_batch_option(CommandLine& line, ModelOptions& options);
/// The same options, whose work ends early once a signal asks for it.
ModelOptions stoppable(ModelOptions options, const StopSignals& stop);

/// Walk options as given; `resolve` puts them on top of the preset, whatever their order.
struct WalkChoice {
  WalkParameters preset = WalkParameters::paper();
  std::optional<float> step_size, delta, adversarial_step;
  std::optional<std::int64_t> iterations, record_every;
  std::optional<bool> adversarial;
  std::optional<std::uint64_t> seed;
  WalkMode mode = WalkMode::standard;
  std::string noise_file;  ///< empty: the generator
  bool keep_path = false;
  bool width = false;
  bool animate = false;

  /// Throws Error(usage) naming the option that is out of range.
  WalkParameters resolve() const;
};

/// What stands in a result's `parameters`.
void add_walk_parameters(CommandLine& line, WalkChoice& choice);
/// The same, --noise and --keep-path.
void add_walk_options(CommandLine& line, WalkChoice& choice);

/// -o and --overwrite.
struct OutputOptions {
  std::string path;
  bool overwrite = false;
};

void add_output_options(CommandLine& line, OutputOptions& options, const std::string& placeholder,
                        const std::string& description);

/// --class-names.
void add_class_names_option(CommandLine& line, std::string& file);

}  // namespace blindspot::tools
