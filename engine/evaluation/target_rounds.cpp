// Implementation of target_rounds.h.
#include "engine/evaluation/target_rounds.h"

#include <limits>
#include <numeric>
#include <utility>

#include "engine/levelset/philox.h"

namespace blindspot::evaluation {

namespace {

/// Whole numbers from one stream of random words.
class Draw {
 public:
  explicit Draw(const levelset::StreamIdentity& identity) : identity_(identity) {}

  /// Uniform in [0, bound).
  std::int64_t below(std::int64_t bound) {
    const auto range = static_cast<std::uint64_t>(bound);
    constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t beyond = largest - largest % range;  // a multiple of the range
    std::uint64_t word = next();
    while (word >= beyond) word = next();
    return static_cast<std::int64_t>(word % range);
  }

 private:
  std::uint64_t next() {
    const auto words = levelset::stream_block(identity_, block_++);
    return (static_cast<std::uint64_t>(words[0]) << 32U) | words[1];
  }

  levelset::StreamIdentity identity_;
  std::uint32_t block_ = 0;
};

std::vector<std::int64_t> permutation(std::int64_t count, Draw& draw) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::int64_t i = count - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(draw.below(i + 1))]);
  }
  return order;
}

bool has_fixed_point(const std::vector<std::int64_t>& order) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] == static_cast<std::int64_t>(i)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::int64_t> seeded_order(std::int64_t count, std::uint64_t seed) {
  Draw draw({seed, 0, 0, levelset::RandomUse::image_order});
  return permutation(count, draw);
}

std::vector<std::int64_t> derangement(std::int64_t count, std::uint64_t seed, std::int64_t round) {
  Draw draw({seed, static_cast<std::uint64_t>(round), 0, levelset::RandomUse::target_round});
  std::vector<std::int64_t> order = permutation(count, draw);
  while (has_fixed_point(order)) order = permutation(count, draw);
  return order;
}

}  // namespace blindspot::evaluation
