// Which repetition of the same two images a walk is; part of the public header walk.h. Uses the standard library only.
#include <map>
#include <set>
#include <utility>

#include "blindspot/walk.h"

namespace blindspot {

namespace {

struct LessByPixels {
  bool operator()(const Image* a, const Image* b) const { return a->values < b->values; }
};

}  // namespace

void count_occurrences(std::span<WalkPair> pairs) {
  std::set<const Image*, LessByPixels> images;
  const auto representative = [&images](const Image* image) { return *images.insert(image).first; };
  std::map<std::pair<const Image*, const Image*>, std::uint64_t> counts;
  for (WalkPair& pair : pairs) pair.occurrence = counts[{representative(pair.source), representative(pair.target)}]++;
}

}  // namespace blindspot
