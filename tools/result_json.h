// result.json of traverse, grid and demo. Uses json_output.h and walk_job.h.
#pragma once

#include <span>
#include <string>

#include "tools/json_output.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

/// The document that schemas/result.json describes; `pairs` holds those that were walked to the end,
/// and `interrupted` is there, true, if a signal kept others from it.
Json result_document(const Model& model, const DistanceMeasure& distances, const WalkPlan& plan,
                     std::span<const WalkedPair> walked, bool interrupted);

}  // namespace blindspot::tools
