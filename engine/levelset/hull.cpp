// Triangles and straight paths of hull.h, and the mixing that all hulls share.
#include "engine/levelset/hull.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace blindspot {
namespace {

/// Weights of a source and two targets.
std::array<double, 3> weights_at(double t1, double t2) {
  return {1 - t1 - t2, t1, t2};
}

void check_divisions(int divisions) {
  if (divisions >= 1 && divisions <= 10'000) return;
  throw Error(ErrorKind::usage, fmt::format("{} divisions: a grid has 1 to 10000", divisions));
}

}  // namespace

std::vector<std::array<double, 2>> triangle_grid(int divisions, WalkMode mode) {
  std::vector<std::array<double, 2>> grid;
  for (int i = 0; i <= divisions; ++i) {
    for (int j = 0; j <= divisions; ++j) {
      const double t1 = static_cast<double>(i) / divisions;
      const double t2 = static_cast<double>(j) / divisions;
      const bool kept = mode == WalkMode::reference ? 1 - t1 - t2 >= 0 : i + j <= divisions;
      if (kept) grid.push_back({t1, t2});
    }
  }
  return grid;
}

HullMetrics hull_metrics(std::span<const TrianglePoint> points) {
  const auto source =
      std::find_if(points.begin(), points.end(), [](const auto& point) { return point.t1 == 0 && point.t2 == 0; });
  if (source == points.end()) throw Error(ErrorKind::usage, "a triangle's points must hold the source, t1 = t2 = 0");
  HullMetrics metrics;
  metrics.p_source = static_cast<double>(source->probability);
  double sum = 0;
  double edge_sum = 0;
  std::int64_t edge_points = 0;
  double edge_lowest = std::numeric_limits<double>::infinity();
  std::array<std::int64_t, confidence_drops.size()> above{};
  for (const TrianglePoint& point : points) {
    const auto probability = static_cast<double>(point.probability);
    sum += probability;
    for (std::size_t d = 0; d < above.size(); ++d) {
      if (probability > metrics.p_source - confidence_drops[d]) ++above[d];
    }
    for (const double t : {point.t1, point.t2}) {
      if (t != 0) continue;  // on the edge where this one is zero; the source is on both
      edge_sum += probability;
      ++edge_points;
      // NaN stays.
      if (!(probability >= edge_lowest)) edge_lowest = probability;
    }
  }
  const auto count = static_cast<double>(points.size());
  metrics.mean = sum / count;
  for (std::size_t d = 0; d < above.size(); ++d) metrics.fractions[d] = static_cast<double>(above[d]) / count;
  metrics.edge_mean = edge_sum / static_cast<double>(edge_points);
  metrics.edge_minimum = edge_lowest - metrics.p_source;
  return metrics;
}

namespace levelset {

Mixer::Mixer(Network& network, Device& device, std::span<const MixedRow> rows) : device_(device), rows_(rows) {
  std::size_t most = 1;
  for (const MixedRow& row : rows) {
    for (const Image* vertex : row.vertices) check_image(network, vertex, "an image of a hull");
    check_class(network, row.source_class);
    most = std::max(most, row.vertices.size());
  }
  vertices_ = device.array(Type::float32, {static_cast<std::int64_t>(most), 3, network.height(), network.width()});
}

std::vector<PointRow> Mixer::point_rows() const {
  std::vector<PointRow> rows;
  for (const MixedRow& row : rows_) {
    rows.push_back({static_cast<std::int64_t>(row.weights.size() / row.vertices.size()), row.source_class});
  }
  return rows;
}

void Mixer::make(std::size_t row, std::int64_t first, Array& points) {
  const MixedRow& mixed = rows_[row];
  const auto count = static_cast<std::int64_t>(mixed.vertices.size());
  if (present_ != static_cast<std::ptrdiff_t>(row)) {
    for (std::int64_t j = 0; j < count; ++j) {
      Array vertex = vertices_.slice(j, 1);
      device_.upload(std::span<const float>(mixed.vertices[static_cast<std::size_t>(j)]->values), vertex);
    }
    present_ = static_cast<std::ptrdiff_t>(row);
  }
  const std::span<const double> weights = mixed.weights.subspan(static_cast<std::size_t>(first * count),
                                                                static_cast<std::size_t>(points.shape()[0] * count));
  device_.measures().mix_points(vertices_.slice(0, count), weights, false, points);
}

std::vector<std::vector<float>> mixed_confidences(Network& network, Device& device, std::span<const MixedRow> rows,
                                                  const Cancelled& cancelled) {
  Mixer mixer(network, device, rows);
  PointPasses passes(network, device, false);
  const std::vector<PointRow> point_rows = mixer.point_rows();
  std::vector<std::vector<float>> confidences(rows.size());
  passes.run(
      point_rows, [&](std::size_t row, std::int64_t first, Array& points) { mixer.make(row, first, points); },
      [&](const PassedPoint& point) { confidences[point.row].push_back(point.probability); }, cancelled);
  return confidences;
}

std::vector<TriangleHull> triangle_hulls(Network& network, Device& device, std::span<const Triangle> triangles,
                                         WalkMode mode, int divisions, const Cancelled& cancelled) {
  check_divisions(divisions);
  const std::vector<std::array<double, 2>> grid = triangle_grid(divisions, mode);
  std::vector<double> weights;
  for (const auto& [t1, t2] : grid) {
    const std::array<double, 3> at = weights_at(t1, t2);
    weights.insert(weights.end(), at.begin(), at.end());
  }
  std::vector<MixedRow> rows;
  for (const Triangle& triangle : triangles) {
    rows.push_back({{triangle.source, triangle.first, triangle.second}, triangle.source_class, weights});
  }
  const std::vector<std::vector<float>> confidences = mixed_confidences(network, device, rows, cancelled);
  std::vector<TriangleHull> hulls;
  for (const std::vector<float>& row : confidences) {
    TriangleHull& hull = hulls.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) hull.points.push_back({grid[i][0], grid[i][1], row[i]});
    hull.metrics = hull_metrics(hull.points);
  }
  return hulls;
}

std::vector<StraightPath> straight_paths(Network& network, Device& device, std::span<const Segment> segments,
                                         int divisions, const Cancelled& cancelled) {
  check_divisions(divisions);
  std::vector<double> weights;
  for (int i = 0; i <= divisions; ++i) {
    const double t = static_cast<double>(i) / divisions;
    weights.insert(weights.end(), {1 - t, t});
  }
  std::vector<MixedRow> rows;
  for (const Segment& segment : segments)
    rows.push_back({{segment.source, segment.end}, segment.source_class, weights});
  const std::vector<std::vector<float>> confidences = mixed_confidences(network, device, rows, cancelled);
  std::vector<StraightPath> paths;
  for (const std::vector<float>& row : confidences) {
    StraightPath& path = paths.emplace_back();
    path.minimum = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < row.size(); ++i) {
      path.points.push_back({static_cast<double>(i) / divisions, row[i]});
      if (!(static_cast<double>(row[i]) >= path.minimum)) path.minimum = static_cast<double>(row[i]);
    }
  }
  return paths;
}

}  // namespace levelset
}  // namespace blindspot
