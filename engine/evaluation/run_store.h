// The run database as its one writer sees it: begun once, a transaction for each finished pair and each source's hulls.
// Sees run_rows.h, run_lock.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/evaluation.h"
#include "engine/evaluation/run_lock.h"
#include "engine/evaluation/run_rows.h"

namespace blindspot::evaluation {

using Png = std::vector<std::uint8_t>;

/// A walk of a network: (source, round).
using PairKey = std::pair<std::int64_t, std::int64_t>;

struct StoredPair {
  EvaluatedPair pair;
  Png final_png;
  std::vector<Png> record_pngs;  ///< one for each of pair.records (empty: none), or none at all
  Image final_image;             ///< kept until the hulls of the source are written; empty: not
};

class RunStore {
 public:
  /// Locks the file and looks into it. Throws Error(input), here and below.
  explicit RunStore(const std::filesystem::path& path);

  const std::string& name() const { return connection_.name(); }
  bool begun() const { return begun_; }
  void begin(const Settings& settings, const std::vector<EvaluatedImage>& images,
             const std::vector<std::pair<std::string, std::string>>& unreadable);
  /// With its inputs, so that no network is there without them; `pngs` one for each.
  void add_model(const EvaluatedModel& model, const std::vector<EvaluatedInput>& inputs, const std::vector<Png>& pngs);
  void add_pair(const StoredPair& stored);
  /// All of one source, whose final images go with it.
  void add_hulls(const std::vector<EvaluatedHull>& hulls);

  std::set<PairKey> finished_pairs(std::int64_t model);
  std::set<std::int64_t> sources_with_hulls(std::int64_t model);
  std::map<PairKey, Image> final_images(std::int64_t model, int height, int width);
  Connection& connection() { return connection_; }

 private:
  RunLock lock_;
  Connection connection_;
  bool begun_ = false;
};

}  // namespace blindspot::evaluation
