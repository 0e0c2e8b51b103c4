// The part that traverse, grid and demo have in common: opening, walking, writing, printing. Uses the shared pieces of
// tools/.
#pragma once

#include <string>

#include "tools/class_names.h"
#include "tools/json_output.h"
#include "tools/options.h"
#include "tools/output_folder.h"
#include "tools/signals.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

/// What the user asked for.
struct WalkRequest {
  std::string model;
  std::string class_names;  ///< file; empty: the network's own
  ModelOptions network;
  WalkChoice walk;
  std::string lpips;  ///< file; empty: LPIPS is null
  OutputOptions output;
  PrintingOptions printing;
  bool grid = false;  ///< also grid.png
};

/// All options of traverse and grid but their images. `output` describes what the folder will hold.
void add_walk_request(CommandLine& line, WalkRequest& request, const std::string& output);

/// All that a walk needs but its images, which go into `plan`. Opened in the order in which mistakes are cheapest.
struct OpenedWalk {
  /// Throws Error(usage|input|device) before any work.
  OpenedWalk(const WalkRequest& request, const StopSignals& signals);

  const StopSignals& stop;
  WalkPlan plan;  ///< parameters and noise
  OutputFolder folder;
  Model model;
  DistanceMeasure distances;
  ClassNames names;
};

struct WalkOutcome {
  std::vector<WalkedPair> walked;
  Json document;
  bool interrupted = false;
  bool saved = false;  ///< false: stopped before any pair was done, nothing is written
  int exit_code = 0;
};

/// Walks, writes everything into the folder and commits it. Messages for the user go to stderr.
WalkOutcome walk_and_save(OpenedWalk& walk, const WalkRequest& request);

/// What --json prints, else a line a pair and a summary.
void print_outcome(const WalkOutcome& outcome, const OpenedWalk& walk, const WalkRequest& request);

}  // namespace blindspot::tools
