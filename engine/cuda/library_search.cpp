// Implementation of library_search.h.
#include "engine/cuda/library_search.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace blindspot::cuda {

namespace {

constexpr double hopeless = std::numeric_limits<double>::infinity();

/// Median of some runs after one that warms up, `hopeless` where one of them is so slow against `best`; none where it
/// does not run.
std::optional<double> median_time(std::size_t place, const PlanTrial& trial, const SearchLimits& limits, double best) {
  if (!trial.milliseconds(place)) return std::nullopt;
  std::vector<double> times;
  for (int run = 0; run < limits.runs; ++run) {
    const std::optional<double> time = trial.milliseconds(place);
    if (!time) return std::nullopt;
    if (*time > limits.give_up_at * best) return hopeless;
    times.push_back(*time);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

std::vector<PlanCandidate> prune(const std::vector<PlanCandidate>& candidates, const SearchLimits& limits) {
  std::vector<PlanCandidate> quick, slow;
  for (const PlanCandidate& candidate : candidates) {
    std::vector<PlanCandidate>& kind = candidate.slow_to_make ? slow : quick;
    if (kind.size() < (candidate.slow_to_make ? limits.slow_to_make : limits.others)) kind.push_back(candidate);
  }
  quick.insert(quick.end(), slow.begin(), slow.end());
  return quick;
}

std::optional<std::size_t> fastest(const std::vector<PlanCandidate>& candidates, const PlanTrial& trial,
                                   const SearchLimits& limits) {
  std::vector<std::pair<double, std::size_t>> timed;  // time, place
  double best = hopeless;
  for (const PlanCandidate& candidate : prune(candidates, limits)) {
    if (!trial.make(candidate.place)) continue;
    const std::optional<double> time = median_time(candidate.place, trial, limits, best);
    if (!time) continue;
    // A hopeless one comes last, for the case that all others fail their check.
    timed.emplace_back(*time, candidate.place);
    best = std::min(best, *time);
  }
  std::stable_sort(timed.begin(), timed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [time, place] : timed) {
    if (trial.check(place)) return place;
  }
  return std::nullopt;
}

}  // namespace blindspot::cuda
