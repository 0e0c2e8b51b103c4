// The choice between ways to do the same work, by timing them on the GPU, kept on disk like a plan. May use
// library_trial.h, library_search.h and plan_cache.h.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/cuda/plan_cache.h"
#include "engine/cuda/ways.h"

namespace blindspot::cuda {

/// Number of the fastest way that gives the same bits twice and in every slot, and whose numbers are the first way's
/// but for rounding: what a library means by a description is not taken on trust. `key.description` names the work.
/// Throws Error(device) where none does, with what the last one said; OutOfMemory where one lacks memory.
std::size_t fastest_way(const PlanKey& key, const std::vector<TrialArray>& arrays, std::span<const WayMaker> ways,
                        PlanCache& cache);

}  // namespace blindspot::cuda
