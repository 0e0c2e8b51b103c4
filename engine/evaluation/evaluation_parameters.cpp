// The ranges of an evaluation's parameters, and the grid of its triangles. Sees the public headers.
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
  require(hull_divisions >= 1 && hull_divisions <= 1000, "--hull-divisions", hull_divisions, "from 1 to 1000");
}

std::vector<std::array<double, 2>> triangle_grid(int divisions, WalkMode mode) {
  std::vector<std::array<double, 2>> grid;
  for (int i = 0; i <= divisions; ++i) {
    for (int j = 0; j <= divisions; ++j) {
      const double t1 = static_cast<double>(i) / divisions;
      const double t2 = static_cast<double>(j) / divisions;
      const bool inside = mode == WalkMode::reference ? 1 - t1 - t2 >= 0 : i + j <= divisions;
      if (inside) grid.push_back({t1, t2});
    }
  }
  return grid;
}

}  // namespace blindspot
