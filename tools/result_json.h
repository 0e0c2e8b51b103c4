// result.json of traverse, grid and demo. Uses class_names.h, json_output.h and walk_job.h.
#pragma once

#include <span>
#include <string>

#include "tools/class_names.h"
#include "tools/json_output.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

/// The document that schemas/result.json describes; `pairs` holds those that were walked to the end,
/// and `interrupted` is there, true, if a signal kept others from it. Classes have their names where these are known.
Json result_document(const Model& model, const DistanceMeasure& distances, const WalkPlan& plan,
                     const ClassNames& names, std::span<const WalkedPair> walked, bool interrupted);

}  // namespace blindspot::tools
