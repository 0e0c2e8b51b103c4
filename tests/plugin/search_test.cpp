// Choosing among plans: order, pruning, giving up, and the check that the winner has to pass.
#include "engine/cuda/library_search.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

namespace {

using blindspot::cuda::fastest;
using blindspot::cuda::PlanCandidate;
using blindspot::cuda::PlanTrial;
using blindspot::cuda::prune;
using blindspot::cuda::SearchLimits;

/// Plans with fixed times; what is asked of them is written down.
struct Plans {
  std::vector<double> times;  // negative: does not run
  std::vector<bool> made, right;
  std::map<std::size_t, int> runs;
  std::vector<std::size_t> checked;

  explicit Plans(std::vector<double> of) : times(std::move(of)), made(times.size(), true), right(times.size(), true) {}

  PlanTrial trial() {
    return {[this](std::size_t place) { return made[place]; },
            [this](std::size_t place) {
              ++runs[place];
              return times[place] < 0 ? std::nullopt : std::optional<double>(times[place]);
            },
            [this](std::size_t place) {
              checked.push_back(place);
              return right[place];
            }};
  }
  std::vector<PlanCandidate> candidates() const {
    std::vector<PlanCandidate> all;
    for (std::size_t i = 0; i < times.size(); ++i) all.push_back({false, i});
    return all;
  }
};

TEST_CASE("the fastest wins, the first of equals") {
  Plans plans({3, 1, 2, 1});
  CHECK(fastest(plans.candidates(), plans.trial()) == 1);
  CHECK(plans.checked == std::vector<std::size_t>{1});
  CHECK_FALSE(fastest({}, plans.trial()));
}

TEST_CASE("plans that cannot be made, do not run or fail their check are passed over") {
  Plans plans({1, 2, 3, 4});
  plans.made[0] = false;
  plans.times[1] = -1;
  plans.right[2] = false;
  CHECK(fastest(plans.candidates(), plans.trial()) == 3);
  CHECK(plans.runs.count(0) == 0);
  plans.right[3] = false;
  CHECK_FALSE(fastest(plans.candidates(), plans.trial()));
}

TEST_CASE("a hopeless plan is run twice and no more, and still stands in when all others fail") {
  Plans plans({1, 10, 1.2});
  CHECK(fastest(plans.candidates(), plans.trial()) == 0);
  CHECK(plans.runs[0] == 1 + SearchLimits().runs);
  CHECK(plans.runs[1] == 2);
  CHECK(plans.runs[2] == 1 + SearchLimits().runs);
  plans.right[0] = plans.right[2] = false;
  CHECK(fastest(plans.candidates(), plans.trial()) == 1);
}

TEST_CASE("quick plans come first, and only a few that are slow to make") {
  const std::vector<PlanCandidate> all{{true, 0}, {false, 1}, {true, 2}, {false, 3}, {true, 4}, {false, 5}};
  SearchLimits limits;
  limits.slow_to_make = 2;
  limits.others = 2;
  std::vector<std::size_t> places;
  for (const PlanCandidate& candidate : prune(all, limits)) places.push_back(candidate.place);
  CHECK(places == std::vector<std::size_t>{1, 3, 0, 2});
}

}  // namespace
