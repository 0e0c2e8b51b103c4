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
  std::int64_t seconds = 0;  ///< of walking; 0: no limit
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
  line.option("--seconds", "S", "End the walk after so long, when enough steps were timed (no limit)",
              [&options](const std::string& text) { options.seconds = read_count("--seconds", text, 1, 1'000'000); });
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
  double ms_per_image_iteration = 0;  ///< median of the steps between the first and the last
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

  /// Times that steps after the first were looked at; a GPU is asked after several steps at once.
  std::size_t looks() const { return per_image_.size(); }

  Timing timing() const {
    std::vector<double> sorted = per_image_;
    // The last step counts in the work at a walk's end: its result read, and recomputed where the precision is not
    // fp32.
    if (sorted.size() > 1) sorted.pop_back();
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

constexpr std::size_t enough_looks = 5;

Timing time_walk(Model& model, const BenchOptions& wanted) {
  const std::int64_t batch = wanted.network.batch;
  const std::int64_t iterations = wanted.iterations;
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
  bool enough = false;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(wanted.seconds);
  options.cancelled = [&clock, &enough, &wanted, end] {
    return enough = wanted.seconds > 0 && Clock::now() > end && clock.looks() >= enough_looks;
  };
  if (!model.walk(pairs, parameters, options) && !enough) throw Stopped();
  return clock.timing();
}

constexpr double mebibyte = 1024.0 * 1024.0;
constexpr std::int64_t most_passes = 16;

/// Everything but what is seen of the device without the walk. The model is gone at the end, and its memory free.
Json measure_walk(const BenchOptions& options, std::vector<OperationWork>& work) {
  Model model = Model::open("rule:" + options.architecture, options.network);
  const Timing timing = time_walk(model, options);
  Json result = document("bench");
  result["network"] = options.architecture;
  result["device"] = model.device();
  result["device_description"] = model.device_description();
  result["precision"] = to_string(model.precision());
  result["threads"] = model.threads();
  result["batch"] = model.batch();
  result["slice"] = model.slice();
  result["iterations"] = options.iterations;
  result["ms_to_open"] = model.milliseconds_to_open();
  result["ms_first"] = timing.ms_first;
  result["ms_per_image_iteration"] = timing.ms_per_image_iteration;
  // As long as the walk was looked at, but not for minutes.
  const std::int64_t passes = std::min<std::int64_t>(options.iterations, most_passes);
  const double network_ms = model.milliseconds_of_both_passes(passes) / static_cast<double>(model.slice());
  result["walk_share"] = 1 - network_ms / timing.ms_per_image_iteration;
  result["peak_rss_mib"] = static_cast<double>(peak_resident_bytes()) / mebibyte;
  result["arena_mib"] = static_cast<double>(model.arena_bytes()) / mebibyte;
  result["gflops"] = model.operations_per_image() / timing.ms_per_image_iteration * 1e-6;
  if (model.peak_gpu_bytes() > 0) result["peak_gpu_mib"] = static_cast<double>(model.peak_gpu_bytes()) / mebibyte;
  work = model.work_per_slice();
  return result;
}

void add_rates(Json& result, const std::vector<OperationWork>& work, const DeviceRates& rates) {
  result["gemm_gflops"] = rates.gemm_gflops;
  if (!rates.copy_gbs) return;
  result["copy_gbs"] = *rates.copy_gbs;
  result["share_of_floor"] =
      floor_milliseconds(work, rates) / result["slice"].get<double>() / result["ms_per_image_iteration"].get<double>();
}

std::string sentence(const Json& result) {
  const auto number = [&result](const char* key) { return result[key].get<double>(); };
  const bool gpu = result.contains("copy_gbs");
  std::string text = fmt::format(
      "{}, batch {}, {}, {}: {:.4g} ms an image-iteration, first step {:.1f} ms, {:.1f} gflop/s of {:.1f} "
      "that matrix products reach, ",
      result["network"].get<std::string>(), result["batch"].get<std::int64_t>(), result["precision"].get<std::string>(),
      gpu ? result["device"].get<std::string>() : fmt::format("{} threads", result["threads"].get<int>()),
      number("ms_per_image_iteration"), number("ms_first"), number("gflops"), number("gemm_gflops"));
  if (gpu) {
    text += fmt::format(
        "{:.1f} % of the floor that these and {:.0f} GB/s copied leave, {:.1f} % of the time the walk's own, {:.0f} "
        "MiB "
        "of the GPU and ",
        100 * number("share_of_floor"), number("copy_gbs"), 100 * number("walk_share"), number("peak_gpu_mib"));
  }
  return text + fmt::format("{:.0f} MiB at most\n", number("peak_rss_mib"));
}

}  // namespace

int run_bench(const Arguments& arguments, const StopSignals& stop) {
  BenchOptions options;
  if (!parse(arguments, options)) return 0;
  options.network.cancelled = stop.cancelled();
  std::vector<OperationWork> work;
  Json result = measure_walk(options, work);
  add_rates(result, work,
            measure_rates(result["device"], precision_from(result["precision"].get<std::string>()),
                          options.network.threads, stop.cancelled()));
  print(options.printing.json ? to_text(result) : sentence(result));
  return 0;
}

}  // namespace blindspot::tools
