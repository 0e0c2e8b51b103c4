// estimate_evaluation(): what a run will take, from a few steps of each network. Sees the public headers and this
// folder.
#include <algorithm>
#include <chrono>

#include "blindspot/evaluation.h"
#include "blindspot/hull.h"
#include "blindspot/measure.h"
#include "blindspot/width.h"
#include "engine/evaluation/network_evaluation.h"
#include "engine/evaluation/opened_run.h"

namespace blindspot {

namespace evaluation {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds of one batch of walks of so many steps, from the images that come first.
double seconds_of_walks(Model& model, const std::vector<Image>& images, const WalkParameters& parameters,
                        std::int64_t steps) {
  WalkParameters few = parameters;
  few.iterations = steps;
  std::vector<WalkPair> pairs;
  for (std::int64_t i = 0; i < model.batch(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i) % images.size();
    WalkPair pair;
    pair.source = &images[at];
    pair.target = &images[(at + 1) % images.size()];
    pairs.push_back(pair);
  }
  WalkOptions options;
  options.keep_record_images = false;
  options.accept_every_step = true;  // the dearest case
  options.finished = [](std::size_t, WalkResult&&) {};
  const Clock::time_point start = Clock::now();
  if (!model.walk(pairs, few, options)) throw Stopped();
  return seconds_since(start);
}

/// Forward passes of a batch, an image.
double seconds_of_logits(Model& model, const std::vector<Image>& images) {
  std::vector<const Image*> pointers;
  for (std::int64_t i = 0; i < model.slice(); ++i) {
    pointers.push_back(&images[static_cast<std::size_t>(i) % images.size()]);
  }
  const Clock::time_point start = Clock::now();
  model.logits(pointers);
  return seconds_since(start) / static_cast<double>(pointers.size());
}

/// Path widths around one image, `directions` of them at each distance: the gradient alone in a slice of its own, then
/// all steps packed into slices.
double seconds_of_width(Model& model, const std::vector<Image>& images, const WalkParameters& parameters,
                        std::int64_t directions) {
  const WidthPoint point{&images[0], &images[1 % images.size()], 0, nullptr, 0};
  WidthOptions options = WidthOptions::of(parameters);
  options.directions = directions;
  options.delta = 0;  // so that it is measured
  const Clock::time_point start = Clock::now();
  path_widths(model, {&point, 1}, options);
  return seconds_since(start);
}

std::int64_t slices_of(const Model& model, std::int64_t images) {
  return (images + model.slice() - 1) / model.slice();
}

/// Path widths at all records of one pair, from as few steps as tell what a slice of them takes.
double seconds_of_widths(Model& model, const std::vector<Image>& images, const WalkParameters& parameters,
                         std::int64_t records) {
  const WidthOptions whole;
  const auto passes = [&whole](std::int64_t directions) { return passes_of_width(directions, whole.radii.size()); };
  const auto slices = [&](std::int64_t directions) { return slices_of(model, passes(directions)); };
  const std::int64_t few = 1, more = 2 * model.slice();
  seconds_of_width(model, images, parameters, few);  // warms up
  const double short_one = seconds_of_width(model, images, parameters, few);
  const double long_one = seconds_of_width(model, images, parameters, more);
  const double slice = std::max(0.0, long_one - short_one) / static_cast<double>(slices(more) - slices(few));
  const double gradient = std::max(0.0, short_one - slice * static_cast<double>(slices(few)));
  return gradient * static_cast<double>(slices_of(model, records)) +
         slice * static_cast<double>(slices_of(model, records * passes(whole.directions)));
}

class Estimation {
 public:
  explicit Estimation(const EvaluationOptions& options) : options_(options), run_(options) {}

  EvaluationEstimate make() {
    run_.open(nullptr);
    for (OpenedNetwork& network : run_.networks()) {
      run_.prepare(network);
      network.inputs = run_.classify(network);
      add(network);
      network.model.reset();
    }
    estimate_.sources = static_cast<std::int64_t>(run_.images().size());
    estimate_.unreadable = run_.unreadable();
    return estimate_;
  }

 private:
  /// Of one network in this shard.
  struct Work {
    std::int64_t sources = 0, pairs = 0, detailed = 0;
  };

  void add(OpenedNetwork& network) {
    const EvaluationParameters& parameters = options_.parameters;
    Model& model = *network.model;
    EvaluationEstimate::Network part;
    part.name = network.row.information.name;
    part.batch = model.batch();
    part.device_bytes = model.arena_bytes();
    Work work;
    for (const EvaluatedInput& input : network.inputs) {
      if (!options_.shard.has(input.image)) continue;
      ++(input.dropped_reason.empty() ? work.sources : part.dropped);
    }
    for (const PairKey& pair : detailed_pairs_of(network.inputs, parameters)) {
      if (options_.shard.has(pair.first)) ++work.detailed;
    }
    part.pairs = work.pairs = work.sources * parameters.rounds;
    part.seconds = seconds_of(network, work);
    estimate_.pairs += part.pairs;
    estimate_.seconds += part.seconds;
    add_room(network, work);
    estimate_.networks.push_back(std::move(part));
  }

  double seconds_of(OpenedNetwork& network, const Work& work) {
    const EvaluationParameters& parameters = options_.parameters;
    Model& model = *network.model;
    const std::vector<const Picture*> pictures = run_.pictures(network);
    std::vector<Image> images;
    const std::size_t few = std::min<std::size_t>(pictures.size(), 8);
    for (std::size_t i = 0; i < few; ++i) images.push_back(to_image(*pictures[i]));
    constexpr std::int64_t steps = 4;
    seconds_of_walks(model, images, parameters.walk, 1);  // warms up
    const double short_walks = seconds_of_walks(model, images, parameters.walk, 1);
    const double walks = seconds_of_walks(model, images, parameters.walk, 1 + steps);
    const double step = std::max(0.0, walks - short_walks) / static_cast<double>(steps);
    const std::int64_t batches = (work.pairs + model.batch() - 1) / model.batch();
    const double of_walks =
        static_cast<double>(batches) * (short_walks + step * static_cast<double>(parameters.walk.iterations));
    const std::int64_t triangles = work.sources * parameters.rounds * (parameters.rounds - 1) / 2;
    const auto points =
        static_cast<std::int64_t>(triangle_grid(parameters.hull_divisions, parameters.walk.mode).size());
    double seconds = of_walks + seconds_of_logits(model, images) * static_cast<double>(triangles * points);
    if (parameters.width && work.detailed > 0) {
      seconds += static_cast<double>(work.detailed) * seconds_of_widths(model, images, parameters.walk, records());
    }
    return seconds;
  }

  /// Memory of the host and room on the disk. A final image's PNG is taken to be as large as the pictures' are, half
  /// again, for walks add noise.
  void add_room(const OpenedNetwork& network, const Work& work) {
    const EvaluationParameters& parameters = options_.parameters;
    const std::vector<const Picture*> pictures = run_.pictures(network);
    const auto values = static_cast<std::uint64_t>(pictures.front()->rgb.size());
    const std::size_t few = std::min<std::size_t>(pictures.size(), 16);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < few; ++i) bytes += encode_png(*pictures[i]).size();
    const std::uint64_t png = bytes / few;
    const std::uint64_t pictures_kept = pictures.size() + static_cast<std::uint64_t>(work.detailed * records());
    const std::uint64_t of_pairs =
        static_cast<std::uint64_t>(work.pairs) * (png * 3 / 2 + 400 + 40 * static_cast<std::uint64_t>(records()));
    const WidthOptions width;
    const std::uint64_t rows_of_width = parameters.width ? 1 + width.radii.size() : 0;
    const std::uint64_t of_widths = static_cast<std::uint64_t>(work.detailed * records()) * rows_of_width * 50;
    const auto points = triangle_grid(parameters.hull_divisions, parameters.walk.mode).size();
    const std::uint64_t of_hulls =
        static_cast<std::uint64_t>(work.sources * parameters.rounds * (parameters.rounds - 1) / 2) * (4 * points + 40);
    const auto batch = static_cast<std::uint64_t>(network.model->batch() + parameters.rounds);
    const std::uint64_t finals = 4 * values * 2 * batch;
    estimate_.disk_bytes += pictures_kept * png + of_pairs + of_widths + of_hulls + finals;
    // The trial steps held all that a run holds but what it keeps of finished walks: finals until their triangles are
    // measured, finals that wait for the writer, and the records of a batch that has a detailed pair. A pair's path
    // widths take as much as its records once more, and on the CPU all directions, of which the trial drew few.
    const bool is_detailed = work.detailed > 0;
    const auto of_records = is_detailed ? static_cast<std::uint64_t>(records()) : 0;
    std::uint64_t kept = 4 * values * batch * (3 + of_records);
    if (parameters.width && is_detailed) {
      const bool on_host = network.model->device() == "cpu";
      kept += 4 * values * (of_records + (on_host ? static_cast<std::uint64_t>(width.directions) : 0));
    }
    estimate_.memory_bytes = std::max(estimate_.memory_bytes, peak_resident_bytes() + kept);
  }

  std::int64_t records() const { return records_of(options_.parameters.walk); }

  const EvaluationOptions& options_;
  OpenedRun run_;
  EvaluationEstimate estimate_;
};

}  // namespace
}  // namespace evaluation

EvaluationEstimate estimate_evaluation(const EvaluationOptions& options) {
  return evaluation::Estimation(options).make();
}

}  // namespace blindspot
