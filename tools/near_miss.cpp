// Implementation of near_miss.h.
#include "tools/near_miss.h"

#include <algorithm>

namespace blindspot::tools {

namespace {

/// Optimal string alignment distance: insertions, deletions, changes, and swaps of neighbours count one each.
std::size_t slips(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> distance(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        distance[i][j] = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      distance[i][j] = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, distance[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

}  // namespace

std::string near_miss(const std::string& word, const std::vector<std::string>& known) {
  // Beyond this length nothing we know is near, and the table would only grow.
  constexpr std::size_t longest = 40;
  std::size_t fewest = 3;
  std::string closest;
  for (const std::string& candidate : known) {
    const std::size_t count = word.size() > longest ? fewest : slips(word, candidate);
    if (count < fewest) {
      fewest = count;
      closest = candidate;
    }
  }
  return closest.empty() ? "" : ", did you mean `" + closest + "`?";
}

}  // namespace blindspot::tools
