// Implementation of lowest.h: all searches side by side, a round of their questions at a time.
#include "engine/levelset/lowest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/levelset/hull.h"
#include "engine/levelset/lowest_search.h"

namespace blindspot::levelset {
namespace {

void check(const CheckOptions& options) {
  if (options.resolution < 1 || options.resolution > 65'536) {
    throw Error(ErrorKind::usage, fmt::format("--check {}: choose 1 to 65536", options.resolution));
  }
  if (options.start < 1 || options.start > 1024) {
    throw Error(ErrorKind::usage, fmt::format("a first grid of {}: choose 1 to 1024", options.start));
  }
  if (!(options.delta >= 0 && options.delta <= 1)) {
    throw Error(ErrorKind::usage, fmt::format("--delta {}: must be from 0 to 1", options.delta));
  }
}

/// The derivative of the log odds along an edge: ∇ ln(p/(1 − p)) = −∇ CE/(1 − p).
double slope_along(const Image& source, const Image& target, const PassedPoint& point) {
  double sum = 0;
  for (std::size_t i = 0; i < point.gradient.size(); ++i) {
    sum += static_cast<double>(point.gradient[i]) *
           (static_cast<double>(target.values[i]) - static_cast<double>(source.values[i]));
  }
  // ln(1/(1 − p)) without the digits that 1 − p loses.
  const double rest = 1 / (1 + std::exp(point.log_odds));
  const double own = rest / static_cast<double>(point.scale);  // the class's own entry at the logits, scaled
  return own > 0 && std::isfinite(own) ? -sum / own : 0.0;
}

/// Weights of source and targets.
void append_weights(const HullPlace& place, std::size_t targets, std::vector<double>& weights) {
  weights.push_back(1 - place[0] - place[1]);
  weights.insert(weights.end(), place.begin(), place.begin() + static_cast<std::ptrdiff_t>(targets));
}

std::int64_t grid_points(std::size_t targets, int resolution) {
  return simplex_grid_points(targets, resolution);
}

class Searches {
 public:
  Searches(Network& network, Device& device, std::span<const SearchedHull> hulls, const CheckOptions& options)
      : hulls_(hulls), rows_(rows_of(hulls)), mixer_(network, device, rows_), passes_(network, device, true) {
    for (const SearchedHull& hull : hulls) {
      searches_.emplace_back(SearchRules{.targets = static_cast<int>(hull.targets.size()),
                                         .resolution = options.resolution,
                                         .start = options.start,
                                         .delta = options.delta});
    }
    weights_.resize(hulls.size());
    questions_.resize(hulls.size());
    asked_.resize(hulls.size(), 0);
    asked_for_slopes_.resize(hulls.size(), 0);
  }

  /// False when no search wants to know anything more.
  bool round(const Cancelled& cancelled) {
    bool wanted = false;
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      weights_[i].clear();
      questions_[i] = searches_[i].next();
      for (const HullPlace& place : questions_[i].places) append_weights(place, hulls_[i].targets.size(), weights_[i]);
      const auto count = static_cast<std::int64_t>(questions_[i].places.size());
      asked_[i] += count;
      asked_for_slopes_[i] += questions_[i].slopes ? count : 0;
      wanted = wanted || count > 0;
    }
    for (const bool slopes : {true, false}) ask(slopes, cancelled);
    return wanted;
  }

  std::vector<LowestPoint> results(const CheckOptions& options, double gradient_cost) const {
    std::vector<LowestPoint> results;
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      const std::size_t targets = hulls_[i].targets.size();
      const HullKnowledge& lowest = searches_[i].lowest();
      LowestPoint& result = results.emplace_back();
      result.p_source = searches_[i].source_probability();
      result.t.assign(lowest.place.begin(), lowest.place.begin() + static_cast<std::ptrdiff_t>(targets));
      result.probability = LowestSearch::probability(lowest.log_odds);
      result.violation = result.p_source - result.probability > options.delta;
      result.points = asked_[i];
      result.gradients = asked_for_slopes_[i];
      result.forward_passes =
          gradient_cost * static_cast<double>(result.gradients) + static_cast<double>(result.points - result.gradients);
      result.grid_passes = grid_points(targets, options.resolution);
    }
    return results;
  }

 private:
  static std::vector<MixedRow> rows_of(std::span<const SearchedHull> hulls) {
    std::vector<MixedRow> rows;
    for (const SearchedHull& hull : hulls) {
      MixedRow& row = rows.emplace_back();
      row.vertices = {hull.source};
      row.vertices.insert(row.vertices.end(), hull.targets.begin(), hull.targets.end());
      row.source_class = hull.source_class;
    }
    return rows;
  }

  /// All questions of this round with slopes, or all without.
  void ask(bool slopes, const Cancelled& cancelled) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      rows_[i].weights =
          questions_[i].slopes == slopes ? std::span<const double>(weights_[i]) : std::span<const double>();
    }
    passes_.run(
        mixer_.point_rows(), [&](std::size_t row, std::int64_t first, Array& to) { mixer_.make(row, first, to); },
        [&](const PassedPoint& point) { tell(point); }, cancelled, slopes);
  }

  void tell(const PassedPoint& point) {
    const SearchedHull& hull = hulls_[point.row];
    HullKnowledge knowledge;
    knowledge.place = questions_[point.row].places[static_cast<std::size_t>(point.point)];
    knowledge.log_odds = point.log_odds;
    if (questions_[point.row].slopes) {
      std::array<double, 2>& slope = knowledge.slope.emplace();
      for (std::size_t j = 0; j < hull.targets.size(); ++j) {
        slope.at(j) = slope_along(*hull.source, *hull.targets[j], point);
      }
    }
    searches_[point.row].tell(knowledge);
  }

  std::span<const SearchedHull> hulls_;
  std::vector<MixedRow> rows_;
  Mixer mixer_;
  PointPasses passes_;
  std::vector<LowestSearch> searches_;
  std::vector<std::vector<double>> weights_;
  std::vector<HullQuestions> questions_;
  std::vector<std::int64_t> asked_, asked_for_slopes_;
};

}  // namespace

std::vector<LowestPoint> lowest_points(Network& network, Device& device, std::span<const SearchedHull> hulls,
                                       const CheckOptions& options, double gradient_cost, const Cancelled& cancelled) {
  check(options);
  Searches searches(network, device, hulls, options);
  while (searches.round(cancelled)) {
  }
  return searches.results(options, gradient_cost);
}

}  // namespace blindspot::levelset
