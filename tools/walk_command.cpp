// Implementation of walk_command.h.
#include "tools/walk_command.h"

#include <fmt/format.h>

#include <iostream>

#include "tools/commands.h"
#include "tools/result_files.h"
#include "tools/result_json.h"

namespace blindspot::tools {

namespace {

void say(const WalkCommand& command, const std::string& text) {
  if (!command.quiet) std::cerr << text << '\n';
}

std::string pair_line(const WalkPlan& plan, const ClassNames& names, const WalkedPair& pair) {
  const Participant& source = plan.sources[pair.numbers.source];
  const Participant& target = plan.targets[pair.numbers.target];
  const WalkResult& walk = pair.result;
  return fmt::format(
      "{} -> {}: {} {:.4f} -> {:.4f}{}, {} {:.4f} there, rmse {:.4f} to the target, {} of {} steps taken\n",
      source.path, target.path, names.label(source.predicted), walk.source_probability, walk.probability,
      walk.outside ? " (outside)" : "", names.label(target.predicted), walk.target_probability, pair.rmse,
      walk.accepted, walk.accepted + walk.rejected);
}

}  // namespace

WalkOutcome walk_and_save(Model& model, const WalkPlan& plan, const ClassNames& names, const WalkCommand& command,
                          OutputFolder& folder, const StopSignals& stop) {
  WalkOutcome outcome;
  outcome.walked =
      walk_all(model, plan, stop, command.quiet, [&](const PairNumbers& numbers, const WalkResult& result) {
        write_pair_pictures(folder.path(), plan, names, numbers, result);
      });
  outcome.interrupted = outcome.walked.size() < plan.pairs.size();
  outcome.document = result_document(command.schema, model, plan, outcome.walked, outcome.interrupted);
  if (outcome.interrupted) outcome.exit_code = stop.exit_code();
  if (!outcome.interrupted && !plan.dropped.empty()) outcome.exit_code = left_something_out;
  for (const DroppedSource& dropped : plan.dropped)
    say(command, fmt::format("dropped {}: {}", dropped.path, dropped.reason));
  if (outcome.interrupted && outcome.walked.empty()) {
    say(command, "stopped before any pair was done; nothing is written");
    return outcome;
  }
  if (command.grid) write_grid(folder.path(), plan, names, outcome.walked);
  write_images_file(folder.path(), plan, model.information().preprocessing.input_size, outcome.walked);
  write_text(folder.path() / "result.json", to_text(outcome.document));
  folder.commit();
  outcome.saved = true;
  if (outcome.interrupted) {
    say(command, fmt::format("stopped: {} of {} pairs are done and saved in {}", outcome.walked.size(),
                             plan.pairs.size(), command.folder_name));
  }
  return outcome;
}

void print_outcome(const WalkOutcome& outcome, const WalkPlan& plan, const ClassNames& names,
                   const WalkCommand& command, bool json) {
  if (!outcome.saved) return;
  if (json) {
    print(to_text(outcome.document));
    return;
  }
  std::string text;
  for (const WalkedPair& pair : outcome.walked) text += pair_line(plan, names, pair);
  for (const DroppedSource& dropped : plan.dropped)
    text += fmt::format("dropped {}: {}\n", dropped.path, dropped.reason);
  print(text + fmt::format("written to {}\n", command.folder_name));
}

}  // namespace blindspot::tools
