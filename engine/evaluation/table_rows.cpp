// The rows of the paper's tables 1 and 2 with the authors' conventions. Sees the public headers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "blindspot/hull.h"

namespace blindspot {

namespace {

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

/// `freedom`: 1 for the sample's standard deviation, 0 for the population's.
MeanDeviation mean_and_deviation(const std::vector<double>& values, std::size_t freedom) {
  if (values.empty()) return {no_number, no_number};
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double deviation =
      values.size() > freedom ? std::sqrt(squares / (count - static_cast<double>(freedom))) : no_number;
  return {mean, deviation};
}

template <typename Get>
std::optional<MeanDeviation> of_distances(const TableInput& input, const Get& get) {
  std::vector<double> values;
  for (const TableInput::Distance& distance : input.distances) {
    const std::optional<double> value = get(distance);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return mean_and_deviation(values, 1);
}

/// The points of a recorded triangle that `mode` counts.
std::vector<TrianglePoint> points_of(const std::vector<float>& probabilities, int divisions, WalkMode mode) {
  const std::vector<std::array<double, 2>> all = triangle_grid(divisions, WalkMode::standard);
  const std::vector<std::array<double, 2>> few = triangle_grid(divisions, WalkMode::reference);
  const bool recorded_few = probabilities.size() == few.size() && few.size() != all.size();
  if (!recorded_few && probabilities.size() != all.size()) {
    throw Error(ErrorKind::input, "a hull has another number of points than its grid; the run database is damaged");
  }
  const std::vector<std::array<double, 2>>& recorded = recorded_few ? few : all;
  std::vector<TrianglePoint> points;
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const bool counts = mode == WalkMode::standard || std::find(few.begin(), few.end(), recorded[i]) != few.end();
    if (counts) points.push_back({recorded[i][0], recorded[i][1], probabilities[i]});
  }
  return points;
}

/// Means over the pairs of one source; of edge_minimum the minimum.
HullMetrics of_source(const std::vector<std::vector<float>>& hulls, int divisions, WalkMode mode) {
  HullMetrics sum;
  sum.edge_minimum = std::numeric_limits<double>::infinity();
  for (const std::vector<float>& hull : hulls) {
    const HullMetrics metrics = hull_metrics(points_of(hull, divisions, mode));
    sum.p_source += metrics.p_source;
    sum.mean += metrics.mean;
    for (std::size_t i = 0; i < sum.fractions.size(); ++i) sum.fractions[i] += metrics.fractions[i];
    sum.edge_mean += metrics.edge_mean;
    if (!(metrics.edge_minimum >= sum.edge_minimum)) sum.edge_minimum = metrics.edge_minimum;  // NaN stays
  }
  const auto count = static_cast<double>(hulls.size());
  sum.p_source /= count;
  sum.mean /= count;
  for (double& fraction : sum.fractions) fraction /= count;
  sum.edge_mean /= count;
  return sum;
}

TableRow::Confidences over_sources(const std::vector<HullMetrics>& sources) {
  const auto over = [&sources](const auto& get) {
    std::vector<double> values;
    values.reserve(sources.size());
    for (const HullMetrics& metrics : sources) values.push_back(get(metrics));
    return mean_and_deviation(values, 0);
  };
  TableRow::Confidences confidences;
  confidences.p_source = over([](const HullMetrics& metrics) { return metrics.p_source; });
  confidences.mean = over([](const HullMetrics& metrics) { return metrics.mean; });
  for (std::size_t i = 0; i < confidences.fractions.size(); ++i) {
    confidences.fractions[i] = over([i](const HullMetrics& metrics) { return metrics.fractions[i]; });
  }
  confidences.edge_mean = over([](const HullMetrics& metrics) { return metrics.edge_mean; });
  confidences.edge_minimum = over([](const HullMetrics& metrics) { return metrics.edge_minimum; });
  return confidences;
}

}  // namespace

TableRow table_row(const TableInput& input, WalkMode mode) {
  using Distance = TableInput::Distance;
  TableRow row;
  row.model = input.model;
  row.sources = input.sources;
  row.pairs = static_cast<std::int64_t>(input.distances.size());
  row.rmse = of_distances(input, [](const Distance& distance) { return std::optional(distance.rmse); });
  row.linf = of_distances(input, [](const Distance& distance) { return std::optional(distance.linf); });
  row.ssim = of_distances(input, [](const Distance& distance) { return distance.ssim; });
  row.lpips = of_distances(input, [](const Distance& distance) { return distance.lpips; });
  std::vector<HullMetrics> sources;
  for (const auto& hulls : input.hulls) {
    if (!hulls.empty()) sources.push_back(of_source(hulls, input.hull_divisions, mode));
  }
  if (!sources.empty()) row.confidences = over_sources(sources);
  return row;
}

std::vector<TableRow> table_rows(const RunDatabase& database, WalkMode mode) {
  std::vector<TableRow> rows;
  const EvaluationParameters parameters = database.parameters();
  for (const EvaluatedModel& model : database.models()) {
    TableInput input;
    input.model = model.information.name;
    input.hull_divisions = parameters.hull_divisions;
    std::map<std::int64_t, std::vector<std::vector<float>>> hulls;
    for (EvaluatedHull& hull : database.hulls(model.number)) {
      hulls[hull.source].push_back(std::move(hull.probabilities));
    }
    std::int64_t last = -1;
    for (const EvaluatedPair& pair : database.pairs(model.number)) {
      input.distances.push_back({pair.rmse, pair.linf, pair.ssim, pair.lpips});
      if (pair.source != last) ++input.sources;
      last = pair.source;
    }
    for (auto& [source, of_one] : hulls) input.hulls.push_back(std::move(of_one));
    rows.push_back(table_row(input, mode));
  }
  return rows;
}

}  // namespace blindspot
