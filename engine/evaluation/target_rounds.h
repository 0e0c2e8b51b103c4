// Which target each source has in each round: random derangements that depend on the seed, the round and the number of
// images alone. Sees the generator of levelset.
#pragma once

#include <cstdint>
#include <vector>

namespace blindspot::evaluation {

/// A permutation of 0 … count−1, drawn uniformly (Fisher and Yates, by Philox).
std::vector<std::int64_t> seeded_order(std::int64_t count, std::uint64_t seed);
/// targets[source] ≠ source: a permutation without a fixed point, drawn uniformly (by rejection). `count` ≥ 2.
std::vector<std::int64_t> derangement(std::int64_t count, std::uint64_t seed, std::int64_t round);

}  // namespace blindspot::evaluation
