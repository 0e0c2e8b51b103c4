// `blindspot bench`: times the product's own walk with every step accepted, the dearest case, on weights from the rule.
// Uses the public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "blindspot/measure.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"

namespace blindspot::tools {

namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string architecture = "resnet50";
  std::int64_t iterations = 10;
  ModelOptions network;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, BenchOptions& options) {
  options.network.batch = 8;
  CommandLine line("bench", "Time the walk on this machine, with weights from the rule and every step accepted.",
                   "blindspot bench --network resnet50 --batch 8 --iterations 10 --precision fp32 --json");
  line.heading("Measurement");
  line.option("--network", "ARCH", "Name of an architecture (resnet50)", options.architecture);
  line.option("--iterations", "M", "Steps of each walk (10)", [&options](const std::string& text) {
    options.iterations = read_count("--iterations", text, 1, 1'000'000);
  });
  line.option("--batch", "N", "Walks at a time (8)",
              [&options](const std::string& text) { options.network.batch = read_count("--batch", text, 1, 65536); });
  add_device_options(line, options.network);
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

std::vector<Image> random_images(std::int64_t count, int side, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<Image> images;
  for (std::int64_t i = 0; i < count; ++i) {
    Image image{side, side,
                std::vector<float>(static_cast<std::size_t>(3) * static_cast<std::size_t>(side) *
                                   static_cast<std::size_t>(side))};
    for (float& value : image.values) value = static_cast<float>(generator() >> 8) * 0x1p-24F;
    images.push_back(std::move(image));
  }
  return images;
}

struct Timing {
  double ms_first = 0;                ///< from the start of the walk to the end of its first step, all images together
  double ms_per_image_iteration = 0;  ///< median of the steps after the first
};

/// Moments at which the count of image-iterations grew.
class StepClock {
 public:
  void saw(std::int64_t iterations_done) {
    if (iterations_done <= last_count_) return;
    const Clock::time_point now = Clock::now();
    const double milliseconds = std::chrono::duration<double, std::milli>(now - last_time_).count();
    if (last_count_ == 0) {
      first_ = milliseconds;
    } else {
      per_image_.push_back(milliseconds / static_cast<double>(iterations_done - last_count_));
    }
    if (last_count_ == 0) first_count_ = iterations_done;
    last_count_ = iterations_done;
    last_time_ = now;
  }

  Timing timing() const {
    std::vector<double> sorted = per_image_;
    // With a single step there is nothing but the first to go by.
    if (sorted.empty()) return {first_, first_ / static_cast<double>(std::max<std::int64_t>(first_count_, 1))};
    std::sort(sorted.begin(), sorted.end());
    const std::size_t half = sorted.size() / 2;
    return {first_, sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2};
  }

 private:
  Clock::time_point last_time_ = Clock::now();
  std::int64_t last_count_ = 0, first_count_ = 0;
  double first_ = 0;
  std::vector<double> per_image_;
};

Timing time_walk(Model& model, std::int64_t batch, std::int64_t iterations) {
  const int side = model.information().preprocessing.input_size;
  const std::vector<Image> sources = random_images(batch, side, 1);
  const std::vector<Image> targets = random_images(batch, side, 2);
  std::vector<WalkPair> pairs(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].source = &sources[i];
    pairs[i].target = &targets[i];
  }
  WalkParameters parameters;
  parameters.iterations = iterations;
  parameters.record_every = iterations;
  StepClock clock;
  WalkOptions options;
  options.accept_every_step = true;
  options.keep_record_images = false;
  options.progress = [&clock](const WalkProgress& progress) { clock.saw(progress.iterations_done); };
  options.finished = [](std::size_t, WalkResult&&) {};
  if (!model.walk(pairs, parameters, options)) throw Stopped();
  return clock.timing();
}

}  // namespace

int run_bench(const Arguments& arguments, const StopSignals& stop) {
  BenchOptions options;
  if (!parse(arguments, options)) return 0;
  options.network.cancelled = stop.cancelled();
  Model model = Model::open("rule:" + options.architecture, options.network);
  const Timing timing = time_walk(model, options.network.batch, options.iterations);
  // Before the matrices of the comparison below take memory of their own.
  const double peak_mib = static_cast<double>(peak_resident_bytes()) / (1024.0 * 1024.0);
  const double gemm_gflops = measure_gemm_gflops(model.precision(), options.network.threads, stop.cancelled());
  const double gflops = model.operations_per_image() / timing.ms_per_image_iteration * 1e-6;
  if (!options.printing.json) {
    print(fmt::format(
        "{}, batch {}, {}, {} threads: {:.2f} ms an image-iteration, first step {:.1f} ms, {:.1f} gflop/s of "
        "{:.1f} that matrix products reach, {:.0f} MiB at most\n",
        options.architecture, options.network.batch, to_string(model.precision()), model.threads(),
        timing.ms_per_image_iteration, timing.ms_first, gflops, gemm_gflops, peak_mib));
    return 0;
  }
  Json result = document("bench");
  result["network"] = options.architecture;
  result["device"] = model.device();
  result["device_description"] = model.device_description();
  result["precision"] = to_string(model.precision());
  result["threads"] = model.threads();
  result["batch"] = options.network.batch;
  result["slice"] = model.slice();
  result["iterations"] = options.iterations;
  result["ms_to_open"] = model.milliseconds_to_open();
  result["ms_first"] = timing.ms_first;
  result["ms_per_image_iteration"] = timing.ms_per_image_iteration;
  result["peak_rss_mib"] = peak_mib;
  result["arena_mib"] = static_cast<double>(model.arena_bytes()) / (1024.0 * 1024.0);
  result["gflops"] = gflops;
  result["gemm_gflops"] = gemm_gflops;
  print(to_text(result));
  return 0;
}

}  // namespace blindspot::tools
