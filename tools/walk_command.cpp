// Implementation of walk_command.h.
#include "tools/walk_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "tools/animation.h"
#include "tools/commands.h"
#include "tools/missing_distances.h"
#include "tools/numbers.h"
#include "tools/result_files.h"
#include "tools/result_json.h"

namespace blindspot::tools {

namespace {

void say(const WalkRequest& request, const std::string& text) {
  if (!request.printing.quiet) std::cerr << text << '\n';
}

WalkPlan plan_of(const WalkChoice& choice) {
  WalkPlan plan;
  plan.parameters = choice.resolve();
  plan.noise_file = choice.noise_file;
  plan.keep_path = choice.keep_path;
  plan.width = choice.width;
  plan.animate = choice.animate;
  return plan;
}

/// Where the network runs.
DistanceMeasure open_distances(const WalkRequest& request, const Model& model, const StopSignals& stop) {
  DistanceOptions options;
  options.device = model.device();
  options.threads = request.network.threads;
  options.lpips = request.lpips;
  options.mode = request.walk.mode;
  options.cancelled = stop.cancelled();
  return DistanceMeasure::open(options);
}

std::string pair_line(const WalkPlan& plan, const ClassNames& names, const WalkedPair& pair) {
  const Participant& source = plan.sources[pair.numbers.source];
  const Participant& target = plan.targets[pair.numbers.target];
  const WalkResult& walk = pair.result;
  return fmt::format("{} -> {}: {} {:.4f} -> {:.4f}{}, {} {:.4f} there, rmse {:.4f} to the target, {} of {} taken\n",
                     source.path, target.path, names.label(source.predicted), walk.source_probability, walk.probability,
                     walk.outside ? " (outside)" : "", names.label(target.predicted), walk.target_probability,
                     pair.rmse, walk.accepted, counted(walk.accepted + walk.rejected, "step"));
}

std::string summary_line(const std::vector<WalkedPair>& walked, float delta) {
  const auto outside =
      std::count_if(walked.begin(), walked.end(), [](const WalkedPair& pair) { return pair.result.outside; });
  const bool one = walked.size() == 1;
  return fmt::format("{} of {} final {} within delta {} of {} source's confidence, {} outside\n",
                     static_cast<std::ptrdiff_t>(walked.size()) - outside, walked.size(),
                     one ? "image is" : "images are", delta, one ? "its" : "their", outside);
}

}  // namespace

void add_walk_request(CommandLine& line, WalkRequest& request, const std::string& output) {
  add_class_names_option(line, request.class_names);
  add_output_options(line, request.output, "DIR", output);
  add_walk_options(line, request.walk);
  add_lpips_option(line, request.lpips);
  add_network_options(line, request.network);
  add_device_options(line, request.network);
  add_batch_option(line, request.network);
  add_printing_options(line, request.printing);
}

OpenedWalk::OpenedWalk(const WalkRequest& request, const StopSignals& signals)
    : stop(signals),
      plan(plan_of(request.walk)),
      folder(request.output.path, request.output.overwrite),
      model(Model::open(request.model, stoppable(request.network, signals))),
      distances(open_distances(request, model, signals)),
      names(request.class_names, model.information()) {
  load_noise(plan, model.information().preprocessing.input_size);
}

WalkOutcome walk_and_save(OpenedWalk& walk, const WalkRequest& request) {
  const WalkPlan& plan = walk.plan;
  WalkOutcome outcome;
  const int side = walk.model.information().preprocessing.input_size;
  ImageStore store(walk.folder.path(), side);
  WalkedPairs walked = walk_all(walk.model, walk.distances, plan, store, request.printing.quiet,
                                [&walk](const PairNumbers& numbers, const WalkResult& result) {
                                  write_pair_pictures(walk.folder.path(), walk.plan, walk.names, numbers, result);
                                  if (!walk.plan.animate) return;
                                  write_animation(walk.folder.path(), walk.plan, walk.names, numbers, result);
                                });
  outcome.walked = std::move(walked.pairs);
  outcome.interrupted = !walked.complete;
  outcome.document = result_document(walk.model, walk.distances, plan, walk.names, outcome.walked, outcome.interrupted);
  if (walked.complete && !outcome.walked.empty()) {
    const WalkedPair& first = outcome.walked.front();
    Distances measured;
    measured.ssim = first.ssim;
    measured.lpips = first.lpips;
    const std::string missing = missing_distances(measured, !request.lpips.empty());
    if (!missing.empty()) say(request, missing);
  }
  if (outcome.interrupted) outcome.exit_code = walk.stop.exit_code();
  if (!walked.fault.empty()) outcome.exit_code = static_cast<int>(ErrorKind::device);
  if (!outcome.interrupted && !plan.dropped.empty()) outcome.exit_code = left_something_out;
  for (const DroppedSource& dropped : plan.dropped) {
    say(request, fmt::format("dropped {}: {}", dropped.path, dropped.reason));
  }
  if (outcome.interrupted && outcome.walked.empty()) {
    say(request, "stopped before any pair was done; nothing is written");
    return outcome;
  }
  if (request.grid) write_grid(walk.folder.path(), plan, walk.names, store, outcome.walked);
  write_images_file(walk.folder.path(), plan, side, store, outcome.walked);
  write_text(walk.folder.path() / "result.json", to_text(outcome.document));
  walk.folder.commit();
  outcome.saved = true;
  if (!walked.fault.empty()) std::cerr << "blindspot: " << walked.fault << '\n';
  if (outcome.interrupted) {
    say(request, fmt::format("stopped: {} of {} done and saved in {}", outcome.walked.size(),
                             counted(plan.pairs.size(), "pair"), request.output.path));
  }
  return outcome;
}

void print_outcome(const WalkOutcome& outcome, const OpenedWalk& walk, const WalkRequest& request) {
  if (request.printing.json) {
    print(to_text(outcome.document));
    return;
  }
  if (!outcome.saved) return;
  std::string text;
  for (const WalkedPair& pair : outcome.walked) text += pair_line(walk.plan, walk.names, pair);
  for (const DroppedSource& dropped : walk.plan.dropped) {
    text += fmt::format("dropped {}: {}\n", dropped.path, dropped.reason);
  }
  if (!outcome.walked.empty()) text += summary_line(outcome.walked, walk.plan.parameters.delta);
  print(text + fmt::format("written to {}\n", request.output.path));
}

}  // namespace blindspot::tools
