// evaluate(): opens networks and images, finds what the database already holds, and works through the rest. Sees the
// public headers and this folder.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <numeric>
#include <set>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "blindspot/one_line.h"
#include "engine/evaluation/image_list.h"
#include "engine/evaluation/network_evaluation.h"
#include "engine/evaluation/opened_run.h"

namespace blindspot {

namespace evaluation {
namespace {

using RunClock = std::chrono::steady_clock;

double seconds_from(RunClock::time_point start) {
  return std::chrono::duration<double>(RunClock::now() - start).count();
}

/// The networks of a run, one after the other.
class Evaluation {
 public:
  Evaluation(const EvaluationOptions& options, EvaluationSummary& summary)
      : options_(options), summary_(summary), run_(options) {}

  void go() {
    RunStore store(options_.database);
    run_.open(&store);
    const auto start = RunClock::now();
    try {
      if (store.begun()) {
        count_pairs(store);
        run_.finish_reading();
      }
      for (OpenedNetwork& network : run_.networks()) {
        run_.prepare(network);
        find_inputs(store, network);
        if (!store.begun()) {
          store.begin(run_.settings(), run_.images(), run_.unreadable());
          count_pairs(store);
        }
        leave_out_dropped(network);
        if (!evaluate_one(store, network)) throw Stopped();
        network.model.reset();  // its memory is the next one's
      }
    } catch (const Stopped&) {
      if (!store.begun()) throw;
      summary_.stopped = true;
    }
    summary_.unreadable = run_.unreadable();
    summary_.seconds = seconds_from(start);
    summary_.device_busy = summary_.seconds > 0 ? seconds_of_device_ / summary_.seconds : 0;
    finish(store);
  }

 private:
  /// A new run's first network classifies images while others are read.
  void find_inputs(RunStore& store, OpenedNetwork& network) {
    if (network.recorded) {
      network.inputs = read_inputs(store.connection(), network.row.number);
      check_inputs(store.connection(), network);
    } else {
      network.inputs = run_.classify(network);
      seconds_of_device_ += run_.seconds_of_classifying();
    }
  }

  void leave_out_dropped(const OpenedNetwork& network) {
    std::int64_t kept = 0, dropped = 0;
    for (const EvaluatedInput& input : network.inputs) {
      if (!options_.shard.has(input.image)) continue;
      ++(input.dropped_reason.empty() ? kept : dropped);
      if (input.dropped_reason.empty()) continue;
      summary_.pairs -= options_.parameters.rounds;
      summary_.dropped.emplace_back(
          network.row.information.name + ": " + run_.images()[static_cast<std::size_t>(input.image)].name,
          input.dropped_reason);
    }
    if (kept == 0 && dropped > 0) summary_.without_sources.push_back(network.row.information.name);
  }

  /// All images, in order, and classes that the network has: what the walks rely on.
  void check_inputs(Connection& connection, const OpenedNetwork& network) const {
    const std::vector<EvaluatedInput>& inputs = network.inputs;
    for (const EvaluatedInput& input : inputs) {
      check_number(connection, "the class of an input", input.predicted, network.row.information.class_count);
    }
    // Their numbers are in range and all differ: as many as there are images are all of them.
    if (inputs.size() == run_.images().size()) return;
    throw Error(ErrorKind::input,
                fmt::format("{}: damaged: {} of {} inputs of {} are there; take a copy of the file or begin anew",
                            connection.name(), inputs.size(), run_.images().size(), network.row.information.name));
  }

  /// Of a run that has begun, as if no source were dropped, which is known only when a network's turn comes.
  void count_pairs(RunStore& store) {
    const std::vector<EvaluatedImage> images = read_images(store.connection());
    for (const OpenedNetwork& network : run_.networks()) {
      for (const EvaluatedImage& image : images) {
        if (options_.shard.has(image.number)) summary_.pairs += options_.parameters.rounds;
      }
      summary_.pairs_before += static_cast<std::int64_t>(store.finished_pairs(network.row.number).size());
      widths_to_come_.push_back(count_widths(store, network, images));
    }
    summary_.pairs_done = summary_.pairs_before;
  }

  std::int64_t count_widths(RunStore& store, const OpenedNetwork& network,
                            const std::vector<EvaluatedImage>& images) const {
    std::vector<EvaluatedInput> inputs;
    if (network.recorded) {
      inputs = read_inputs(store.connection(), network.row.number);
    } else {
      for (const EvaluatedImage& image : images) inputs.push_back({image.number, 0, 0, {}});
    }
    return widths_to_measure(inputs, options_.parameters, options_.shard, store.finished_pairs(network.row.number));
  }

  /// A network that is not recorded comes before its pairs; encoding its inputs' pictures need not hold up the walks.
  void record(StoreWriter& writer, const OpenedNetwork& network) const {
    if (network.recorded) return;
    writer.add([row = network.row, inputs = network.inputs, pictures = run_.pictures(network)](RunStore& store) {
      std::vector<Png> pngs;
      pngs.reserve(pictures.size());
      for (const Picture* picture : pictures) pngs.push_back(encode_png(*picture));
      store.add_model(row, inputs, pngs);
    });
  }

  bool evaluate_one(RunStore& store, OpenedNetwork& network) {
    Model& model = *network.model;
    const int side = network.row.information.preprocessing.input_size;
    AlreadyDone done{store.finished_pairs(network.row.number), store.sources_with_hulls(network.row.number),
                     store.final_images(network.row.number, side, side)};
    const std::vector<const Picture*> pictures = run_.pictures(network);
    const std::vector<std::vector<PlannedPair>> plan =
        plan_rounds(pictures, options_.parameters.rounds, options_.parameters.walk.seed);
    StoreWriter writer(store, static_cast<std::size_t>(2 * model.batch()));
    record(writer, network);
    const RunContext context{options_.parameters, options_.shard, &run_.distances(), &writer, options_.cancelled};
    NetworkEvaluation evaluation(model, network.row.number, network.inputs, pictures, plan, context, std::move(done));
    const std::int64_t steps = options_.parameters.walk.iterations;
    say(fmt::format("{}: {} of {} {} to walk, {} {} each, on {} in {}, {} at a time",
                    one_line(network.row.information.name), evaluation.pairs_to_do(), evaluation.pairs(),
                    evaluation.pairs() == 1 ? "pair" : "pairs", steps, steps == 1 ? "step" : "steps", model.device(),
                    to_string(model.precision()), model.batch()));
    const std::int64_t before = summary_.pairs_done;
    const std::int64_t to_do_before = to_do_done_;
    widths_to_come_.pop_front();
    const std::int64_t widths_after = std::accumulate(widths_to_come_.begin(), widths_to_come_.end(), std::int64_t{0});
    const auto progress = [&](const NetworkWork& work) {
      summary_.pairs_done = before + work.pairs;
      if (options_.progress) {
        const std::int64_t each = options_.parameters.walk.iterations;
        EvaluationProgress now;
        now.model = network.row.information.name;
        now.pairs_done = summary_.pairs_done;
        now.pairs = summary_.pairs;
        now.iterations_done = to_do_before * each + work.iterations;
        now.iterations = (summary_.pairs - summary_.pairs_before) * each;
        now.widths_done = work.widths_done;
        now.widths_left = work.widths_left + static_cast<double>(widths_after);
        now.passes_of_width = passes_of_widths(options_.parameters.walk);
        options_.progress(now);
      }
    };
    bool complete = false;
    try {
      complete = evaluation.run(progress);
    } catch (const Stopped&) {
      complete = false;
    }
    writer.finish();
    summary_.pairs_done = before + (complete ? evaluation.pairs_to_do() : 0);
    to_do_done_ += evaluation.pairs_to_do();
    seconds_of_device_ += evaluation.seconds_of_device();
    return complete;
  }

  /// What the database says in the end.
  void finish(RunStore& store) {
    summary_.pairs_done = 0;
    std::set<std::int64_t> known;
    for (const EvaluatedModel& model : read_models(store.connection())) known.insert(model.number);
    for (const OpenedNetwork& network : run_.networks()) {
      if (!known.contains(network.row.number)) summary_.not_begun.push_back(network.row.information.name);
      summary_.pairs_done += static_cast<std::int64_t>(store.finished_pairs(network.row.number).size());
      summary_.outside += store.connection().integer(
          fmt::format("SELECT count(*) FROM pairs WHERE outside AND model = {}", network.row.number));
    }
  }

  void say(const std::string& text) const {
    if (options_.message) options_.message(text);
  }

  const EvaluationOptions& options_;
  EvaluationSummary& summary_;
  OpenedRun run_;
  double seconds_of_device_ = 0;
  std::int64_t to_do_done_ = 0;
  std::deque<std::int64_t> widths_to_come_;  // of the networks whose turn has not come
};

}  // namespace
}  // namespace evaluation

EvaluationSummary evaluate(const EvaluationOptions& options) {
  EvaluationSummary summary;
  evaluation::Evaluation(options, summary).go();
  return summary;
}

}  // namespace blindspot
