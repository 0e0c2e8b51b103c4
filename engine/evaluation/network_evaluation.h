// The walks, distances and hulls of one network: what is left to do of them, batch by batch, each finished pair and
// source handed to the writer. Sees the public headers and this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "blindspot/distances.h"
#include "blindspot/evaluation.h"
#include "blindspot/hull.h"
#include "engine/evaluation/round_plan.h"
#include "engine/evaluation/run_store.h"
#include "engine/evaluation/store_writer.h"

namespace blindspot::evaluation {

/// What all networks of a run share.
struct RunContext {
  EvaluationParameters parameters;
  Shard shard;
  DistanceMeasure* distances = nullptr;
  StoreWriter* writer = nullptr;
  Cancelled cancelled;
};

/// What an earlier start has left in the database.
struct AlreadyDone {
  std::set<PairKey> pairs;
  std::set<std::int64_t> hulls;     ///< sources
  std::map<PairKey, Image> finals;  ///< of sources without hulls
};

/// What a network's evaluation has done so far.
struct NetworkWork {
  std::int64_t pairs = 0, iterations = 0;  ///< walked
  std::optional<double> widths_done;       ///< while path widths are measured: the share of those that there are
  double widths_left = 0;                  ///< pairs that have theirs still to come
};
using NetworkProgress = std::function<void(const NetworkWork&)>;

/// Of a walk: at the multiples of record_every, and at the end but for the mode `reference`.
std::int64_t records_of(const WalkParameters& walk);
/// Forward passes of the path widths at all records of a walk.
std::int64_t passes_of_widths(const WalkParameters& walk);
/// The first pairs of a network, of all shards: the pictures of their records are kept.
std::set<PairKey> detailed_pairs_of(std::span<const EvaluatedInput> inputs, const EvaluationParameters& parameters);
/// Pairs of a network and a shard whose path widths are measured and that are not among `done`.
std::int64_t widths_to_measure(std::span<const EvaluatedInput> inputs, const EvaluationParameters& parameters,
                               const Shard& shard, const std::set<PairKey>& done);

class NetworkEvaluation {
 public:
  /// `inputs` and `pictures` by image, `plan` by source; all must outlive this.
  NetworkEvaluation(Model& model, std::int64_t number, std::span<const EvaluatedInput> inputs,
                    std::span<const Picture* const> pictures, const std::vector<std::vector<PlannedPair>>& plan,
                    const RunContext& context, AlreadyDone done);

  std::int64_t pairs() const { return pairs_; }
  std::int64_t pairs_to_do() const { return static_cast<std::int64_t>(to_do_.size()); }

  /// False if cancelled.
  bool run(const NetworkProgress& progress);
  double seconds_of_device() const { return seconds_of_device_; }

 private:
  struct Walked;

  bool measures_width(const PairKey& key) const;
  bool walk_some(std::span<const PairKey> keys, std::vector<Walked>& walked, const NetworkProgress& progress);
  void measure(std::vector<Walked>& walked);
  void finish_walked(std::vector<Walked>& walked, const NetworkProgress& progress);
  void measure_width(Walked& walked, const std::function<void(double)>& progress);
  void store(Walked&& walked);
  void finish_sources();
  WalkPair walk_pair(const PairKey& key, const std::map<std::int64_t, Image>& images) const;

  Model& model_;
  std::int64_t number_;
  std::span<const EvaluatedInput> inputs_;
  std::span<const Picture* const> pictures_;
  const std::vector<std::vector<PlannedPair>>& plan_;
  const RunContext& context_;
  std::set<PairKey> detailed_;
  std::set<std::int64_t> without_hulls_;  // sources of this shard
  std::map<PairKey, Image> finals_;       // of those
  std::vector<PairKey> to_do_;
  std::int64_t pairs_ = 0;
  std::int64_t finished_ = 0;
  std::int64_t widths_to_do_ = 0;  // pairs
  std::int64_t widths_done_ = 0;
  double seconds_of_device_ = 0;
};

}  // namespace blindspot::evaluation
