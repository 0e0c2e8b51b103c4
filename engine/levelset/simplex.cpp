// Simplices of any number of targets: a regular grid, or points drawn uniformly with the intervals that a draw allows.
#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/levelset/hull.h"
#include "engine/levelset/philox.h"

namespace blindspot {

std::int64_t simplex_grid_points(std::size_t targets, int divisions) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  // (divisions + targets choose targets), built up so that every intermediate value is a binomial coefficient.
  std::int64_t points = 1;
  for (std::size_t k = 1; k <= targets; ++k) {
    const std::int64_t factor = divisions + static_cast<std::int64_t>(k);
    if (points > most / factor) return most;
    points = points * factor / static_cast<std::int64_t>(k);
  }
  return points;
}

namespace {

/// Where the interval of a level ends, in the distribution.
double upper_quantile(double level) {
  return 1 - (1 - level) / 2;
}

}  // namespace

void SimplexOptions::check() const {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw Error(ErrorKind::usage, message);
  };
  require(divisions >= 1 && divisions <= 10'000, fmt::format("--divisions {}: choose 1 to 10000", divisions));
  require(point_budget >= 1 && point_budget <= 100'000'000,
          fmt::format("--points {}: choose 1 to 100000000", point_budget));
  require(samples >= 2 && samples <= 100'000'000, fmt::format("--samples {}: choose 2 to 100000000", samples));
  require(confidence_level > 0 && confidence_level < 1,
          fmt::format("--level {}: must be between 0 and 1", confidence_level));
  // The quantile at 1 is infinite.
  require(upper_quantile(confidence_level) < 1,
          fmt::format("--level {}: is too near to 1; choose a smaller one", confidence_level));
}

bool SimplexOptions::draws(std::size_t targets) const {
  return simplex_grid_points(targets, divisions) > point_budget;
}

std::int64_t SimplexOptions::points(std::size_t targets) const {
  return draws(targets) ? samples : simplex_grid_points(targets, divisions);
}

namespace levelset {
namespace {

/// Appends all points that begin with `t`, of whose divisions `left` are left.
void extend_grid(std::vector<double>& t, std::size_t targets, int left, int divisions,
                 std::vector<std::vector<double>>& points) {
  if (t.size() == targets) {
    points.push_back(t);
    return;
  }
  for (int i = 0; i <= left; ++i) {
    t.push_back(static_cast<double>(i) / divisions);
    extend_grid(t, targets, left - i, divisions, points);
    t.pop_back();
  }
}

/// All (i₁, …, i_k)/divisions with Σ i ≤ divisions, the first in the outermost loop.
std::vector<std::vector<double>> grid_of(std::size_t targets, int divisions) {
  std::vector<std::vector<double>> points;
  std::vector<double> t;
  extend_grid(t, targets, divisions, divisions, points);
  return points;
}

/// Uniform over the simplex: of k + 1 standard exponential numbers each one's share of their sum.
std::vector<std::vector<double>> draw(const Simplex& simplex, const SimplexOptions& options) {
  std::vector<std::span<const float>> pixels = {simplex.source->values};
  for (const Image* target : simplex.targets) pixels.emplace_back(target->values);
  const StreamIdentity identity = {options.seed, hash_pixels(pixels), 0, RandomUse::simplex_points};
  const std::size_t weights = simplex.targets.size() + 1;
  std::uint64_t word = 0;
  Counter words{};
  const auto next_exponential = [&] {
    if (word % 4 == 0) words = stream_block(identity, static_cast<std::uint32_t>(word / 4));
    return -natural_logarithm((static_cast<double>(words[word++ % 4]) + 1) * 0x1p-32);
  };
  std::vector<std::vector<double>> points;
  for (std::int64_t i = 0; i < options.samples; ++i) {
    std::vector<double> shares(weights);
    double sum = 0;
    for (double& share : shares) sum += share = next_exponential();
    if (sum == 0) shares[0] = sum = 1;  // every word was the largest there is
    std::vector<double>& t = points.emplace_back();
    for (std::size_t j = 1; j < weights; ++j) t.push_back(shares[j] / sum);
  }
  return points;
}

/// The source, which is asked for by itself, and all points.
std::vector<double> weights_of(const std::vector<std::vector<double>>& points, std::size_t targets) {
  std::vector<double> weights(targets + 1, 0.0);
  weights[0] = 1;
  for (const std::vector<double>& t : points) {
    double rest = 1;
    for (const double share : t) rest -= share;
    weights.push_back(rest);
    weights.insert(weights.end(), t.begin(), t.end());
  }
  return weights;
}

/// Wilson 1927: the shares p with |p̂ − p| ≤ z·√(p(1 − p)/n).
Interval wilson(double share, double count, double z) {
  const double square = z * z;
  const double centre = (share + square / (2 * count)) / (1 + square / count);
  const double half = z / (1 + square / count) * std::sqrt(share * (1 - share) / count + square / (4 * count * count));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

void add_intervals(SimplexHull& hull, double level) {
  const auto count = static_cast<double>(hull.points.size());
  double squares = 0;
  for (const SimplexPoint& point : hull.points) {
    const double difference = static_cast<double>(point.probability) - hull.mean;
    squares += difference * difference;
  }
  const double upper = upper_quantile(level);
  const double student = boost::math::quantile(boost::math::students_t(count - 1), upper);
  const double half = student * std::sqrt(squares / (count - 1) / count);
  hull.mean_interval = {hull.mean - half, hull.mean + half};
  const double z = boost::math::quantile(boost::math::normal(), upper);
  for (std::size_t d = 0; d < hull.fractions.size(); ++d) {
    hull.fraction_intervals[d] = wilson(hull.fractions[d], count, z);
  }
}

/// `confidences`: of the source, then of every point.
SimplexHull hull_of(const std::vector<std::vector<double>>& points, const std::vector<float>& confidences) {
  SimplexHull hull;
  hull.p_source = static_cast<double>(confidences.at(0));
  hull.minimum = std::numeric_limits<double>::infinity();
  std::array<std::int64_t, confidence_drops.size()> above{};
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const float probability = confidences.at(i + 1);
    const auto value = static_cast<double>(probability);
    hull.points.push_back({points[i], probability});
    sum += value;
    if (!(value >= hull.minimum)) hull.minimum = value;  // NaN stays
    for (std::size_t d = 0; d < above.size(); ++d) {
      if (value > hull.p_source - confidence_drops[d]) ++above[d];
    }
  }
  const auto count = static_cast<double>(points.size());
  hull.mean = sum / count;
  for (std::size_t d = 0; d < above.size(); ++d) hull.fractions[d] = static_cast<double>(above[d]) / count;
  return hull;
}

}  // namespace

std::vector<SimplexHull> simplex_hulls(Network& network, Device& device, std::span<const Simplex> simplices,
                                       const SimplexOptions& options, const Cancelled& cancelled) {
  options.check();
  std::vector<std::vector<std::vector<double>>> points;
  std::vector<std::vector<double>> weights;
  std::vector<bool> sampled;
  for (const Simplex& simplex : simplices) {
    if (simplex.targets.empty()) throw Error(ErrorKind::usage, "a simplex needs a source and at least one target");
    check_image(network, simplex.source, "the source of a simplex");
    for (const Image* target : simplex.targets) check_image(network, target, "a target of a simplex");
    sampled.push_back(options.draws(simplex.targets.size()));
    points.push_back(sampled.back() ? draw(simplex, options) : grid_of(simplex.targets.size(), options.divisions));
    weights.push_back(weights_of(points.back(), simplex.targets.size()));
  }
  std::vector<MixedRow> rows;
  for (std::size_t i = 0; i < simplices.size(); ++i) {
    MixedRow& row = rows.emplace_back();
    row.vertices = {simplices[i].source};
    row.vertices.insert(row.vertices.end(), simplices[i].targets.begin(), simplices[i].targets.end());
    row.source_class = simplices[i].source_class;
    row.weights = weights[i];
  }
  const std::vector<std::vector<float>> confidences = mixed_confidences(network, device, rows, cancelled);
  std::vector<SimplexHull> hulls;
  for (std::size_t i = 0; i < simplices.size(); ++i) {
    hulls.push_back(hull_of(points[i], confidences[i]));
    hulls.back().sampled = sampled[i];
    if (sampled[i]) add_intervals(hulls.back(), options.confidence_level);
  }
  return hulls;
}

}  // namespace levelset
}  // namespace blindspot
