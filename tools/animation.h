// A walk as a moving picture. Uses the public headers and walk_job.h.
#pragma once

#include <filesystem>

#include "tools/class_names.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

/// path-I-J.apng: the source, every record with the confidence beneath, and the end, which stands for a while. The
/// images of all records must be there.
void write_animation(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                     const PairNumbers& numbers, const WalkResult& result);

}  // namespace blindspot::tools
