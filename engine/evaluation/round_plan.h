// The pairs of an evaluation: for each round and source the target, and which occurrence of the same two pictures it
// is. The same for every network and every shard. Sees images.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::evaluation {

struct PlannedPair {
  std::int64_t target = 0;
  std::uint64_t occurrence = 0;  ///< of the same two pictures, source-major; part of the identity of random numbers
};

/// plan[source][round]. `pictures`: one for each image, at a network's input size; at least two.
std::vector<std::vector<PlannedPair>> plan_rounds(std::span<const Picture* const> pictures, std::int64_t rounds,
                                                  std::uint64_t seed);

}  // namespace blindspot::evaluation
