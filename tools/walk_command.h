// The part that traverse, grid and demo have in common, from the opened network to the folder with its final name. Uses
// the shared pieces of tools/.
#pragma once

#include <string>

#include "tools/class_names.h"
#include "tools/json_output.h"
#include "tools/output_folder.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

struct WalkCommand {
  std::string schema;  ///< "traverse" or "grid"
  bool grid = false;   ///< also grid.png
  bool quiet = false;
  std::string folder_name;  ///< for messages
};

struct WalkOutcome {
  std::vector<WalkedPair> walked;
  Json document;
  bool interrupted = false;
  bool saved = false;  ///< false: stopped before any pair was done, nothing is written
  int exit_code = 0;
};

/// Walks, writes everything into `folder` and commits it. Messages for the user go to stderr.
WalkOutcome walk_and_save(Model& model, const WalkPlan& plan, const ClassNames& names, const WalkCommand& command,
                          OutputFolder& folder, const StopSignals& stop);

/// What --json prints, else a line a pair.
void print_outcome(const WalkOutcome& outcome, const WalkPlan& plan, const ClassNames& names,
                   const WalkCommand& command, bool json);

}  // namespace blindspot::tools
