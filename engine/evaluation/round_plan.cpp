// Implementation of round_plan.h.
#include "engine/evaluation/round_plan.h"

#include <map>
#include <string_view>
#include <utility>

#include "engine/evaluation/target_rounds.h"

namespace blindspot::evaluation {

namespace {

/// For each picture the number of the first with the same pixels.
std::vector<std::int64_t> representatives(std::span<const Picture* const> pictures) {
  std::map<std::string_view, std::int64_t> first;
  std::vector<std::int64_t> numbers;
  for (const Picture* picture : pictures) {
    const std::string_view pixels(reinterpret_cast<const char*>(picture->rgb.data()), picture->rgb.size());
    numbers.push_back(first.emplace(pixels, static_cast<std::int64_t>(numbers.size())).first->second);
  }
  return numbers;
}

}  // namespace

std::vector<std::vector<PlannedPair>> plan_rounds(std::span<const Picture* const> pictures, std::int64_t rounds,
                                                  std::uint64_t seed) {
  const auto count = static_cast<std::int64_t>(pictures.size());
  std::vector<std::vector<std::int64_t>> targets;
  for (std::int64_t round = 0; round < rounds; ++round) targets.push_back(derangement(count, seed, round));
  const std::vector<std::int64_t> same = representatives(pictures);
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint64_t> counts;
  std::vector<std::vector<PlannedPair>> plan(pictures.size());
  for (std::size_t source = 0; source < pictures.size(); ++source) {
    for (const std::vector<std::int64_t>& round : targets) {
      const std::int64_t target = round[source];
      plan[source].push_back({target, counts[{same[source], same[static_cast<std::size_t>(target)]}]++});
    }
  }
  return plan;
}

}  // namespace blindspot::evaluation
