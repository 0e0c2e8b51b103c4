// Implementation of library_ways.h.
#include "engine/cuda/library_ways.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "engine/cuda/library_search.h"
#include "engine/cuda/library_trial.h"

namespace blindspot::cuda {

namespace {

/// The number that keep() wrote down; none where there is none, or no way of that number.
std::optional<std::size_t> kept_number(const PlanCache& cache, const PlanKey& key, std::size_t count) {
  const std::optional<CachedPlan> cached = cache.find(key);
  if (!cached || cached->contents.size() != 1 || cached->contents[0] >= count) return std::nullopt;
  return cached->contents[0];
}

}  // namespace

std::size_t fastest_way(const PlanKey& key, const std::vector<TrialArray>& arrays, std::span<const WayMaker> ways,
                        PlanCache& cache) {
  std::string last_reason =
      "none gives the same bits in every slot of the batch and from a recording, and the numbers of the first";
  /// Whether the call came to its end. Want of memory is no fault of the way's: with another in its place the choice,
  /// and with it the bits, would depend on what else is on the GPU.
  const auto succeeds = [&](const auto& call) {
    try {
      call();
      return true;
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      last_reason = error.what();
      return false;
    }
  };
  // What could be made once may not be now: a library may be gone that it was compiled by.
  const std::optional<std::size_t> kept = kept_number(cache, key, ways.size());
  if (kept && succeeds([&] { ways[*kept](); })) return *kept;
  // Before the trial takes memory: making a way may take as much for a trial of its own.
  std::vector<Way> made(ways.size());  // one without `run` could not be made
  std::vector<PlanCandidate> candidates;
  for (std::size_t number = 0; number < ways.size(); ++number) {
    if (succeeds([&] { made[number] = ways[number](); })) candidates.push_back({false, number});
  }
  Trial data(key.description, arrays);
  const auto run = [&](std::size_t number) {
    const Way& way = made[number];
    return [&way, &data, scratch = data.workspace(way.scratch_bytes)](std::span<void* const> at) {
      way.run(at, scratch, data.stream());
    };
  };
  PlanTrial trial;
  trial.make = [&](std::size_t number) { return succeeds([&] { data.workspace(made[number].scratch_bytes); }); };
  trial.milliseconds = [&](std::size_t number) { return data.milliseconds(run(number)); };
  trial.check = [&](std::size_t number) {
    if (!data.gives_same_bits(run(number))) return false;
    if (number == 0 || !made[0].run) return true;
    data.workspace(std::max(made[0].scratch_bytes, made[number].scratch_bytes));  // one memory for both
    return data.agrees(run(number), run(0));
  };
  const std::optional<std::size_t> best = fastest(candidates, trial);
  if (!best) throw Error(ErrorKind::device, fmt::format("{}: {}", key.description, last_reason));
  cache.keep(key, {fmt::format("{}: way {}", key.description, *best), {static_cast<std::uint8_t>(*best)}});
  return *best;
}

}  // namespace blindspot::cuda
