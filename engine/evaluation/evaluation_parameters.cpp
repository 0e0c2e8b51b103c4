// The ranges of an evaluation's parameters. Sees the public headers.
#include <fmt/format.h>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"

namespace blindspot {

void EvaluationParameters::check() const {
  const auto require = [](bool holds, const char* option, std::int64_t value, const char* range) {
    if (!holds) throw Error(ErrorKind::usage, fmt::format("{} {}: must be {}", option, value, range));
  };
  walk.check();
  require(rounds >= 1 && rounds <= 1000, "--rounds", rounds, "from 1 to 1000");
  require(limit >= 0, "--limit", limit, "0 (all) or more");
  require(limit != 1, "--limit", limit, "2 or more: every source needs another as its target");
  require(detailed_pairs >= 0, "--detailed-pairs", detailed_pairs, "0 or more");
  require(!width || detailed_pairs > 0, "--detailed-pairs", detailed_pairs,
          "1 or more: --width measures around their records");
  require(hull_divisions >= 1 && hull_divisions <= 1000, "hull_divisions", hull_divisions, "from 1 to 1000");
}

}  // namespace blindspot
