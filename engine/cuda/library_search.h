// Choosing one of many plans for the same work by timing them: the order in which they are tried, when one is given up,
// and what the winner has to show. Knows nothing of a library or of CUDA, so that it is tested without either.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace blindspot::cuda {

/// One plan that could do the work.
struct PlanCandidate {
  bool slow_to_make = false;  ///< compiled at run time: tried only among the first few
  std::size_t place = 0;      ///< number of the plan for its owner
};

/// What the search asks of the owner of the plans.
struct PlanTrial {
  /// Makes the plan ready; false where it cannot be made or wants too much workspace.
  std::function<bool(std::size_t place)> make;
  /// Runs it once and returns milliseconds; none where it does not run.
  std::function<std::optional<double>(std::size_t place)> milliseconds;
  /// Whether it does what it must: the same bits again, from a recording, and in every slot of the batch; where there
  /// are several ways, the numbers of the first.
  std::function<bool(std::size_t place)> check;
};

struct SearchLimits {
  /// Plans compiled at run time that are tried at most: the library's own first guesses. They take a second each, and
  /// a network has dozens of graphs that have no others.
  std::size_t slow_to_make = 2;
  std::size_t others = 64;
  int runs = 5;             ///< a plan's time is the median of these
  double give_up_at = 1.5;  ///< times the best median: one run this slow and the plan is dropped
};

/// The candidates that are tried, quick ones first, each kind in the order given (the library's own guess).
std::vector<PlanCandidate> prune(const std::vector<PlanCandidate>& candidates, const SearchLimits& limits);

/// Place of the fastest candidate that passes its check; none if none does.
std::optional<std::size_t> fastest(const std::vector<PlanCandidate>& candidates, const PlanTrial& trial,
                                   const SearchLimits& limits = {});

}  // namespace blindspot::cuda
