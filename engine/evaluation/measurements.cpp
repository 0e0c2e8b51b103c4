// Implementation of measurements.h: RMSE, L∞ and the grid of the triangle, one point after the other.
#include "engine/evaluation/measurements.h"

#include <algorithm>
#include <cmath>

#include "blindspot/evaluation.h"

namespace blindspot::evaluation {

Measurements::Measurements(const DistanceOptions&) {}

std::vector<Distances> Measurements::distances(std::span<const ImagePair> pairs) {
  std::vector<Distances> all;
  for (const ImagePair& pair : pairs) {
    Distances distances;
    distances.rmse = rmse(*pair.first, *pair.second);
    distances.linf = linf(*pair.first, *pair.second);
    distances.l2 = distances.rmse * std::sqrt(static_cast<double>(pair.first->values.size()));
    all.push_back(distances);
  }
  return all;
}

std::vector<TriangleHull> Measurements::hulls(Model& model, std::span<const Triangle> triangles, WalkMode mode,
                                              int divisions) {
  std::vector<TriangleHull> all;
  for (const Triangle& triangle : triangles) {
    TriangleHull hull;
    std::vector<Image> points;
    for (const auto& [t1, t2] : triangle_grid(divisions, mode)) {
      Image& image = points.emplace_back(*triangle.source);
      for (std::size_t i = 0; i < image.values.size(); ++i) {
        image.values[i] = static_cast<float>((1 - t1 - t2) * static_cast<double>(triangle.source->values[i]) +
                                             t1 * static_cast<double>(triangle.first->values[i]) +
                                             t2 * static_cast<double>(triangle.second->values[i]));
      }
      hull.points.push_back({t1, t2, 0});
    }
    std::vector<const Image*> pointers;
    for (const Image& image : points) pointers.push_back(&image);
    const std::vector<std::vector<float>> logits = model.logits(pointers);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto k = static_cast<std::size_t>(triangle.source_class);
      hull.points[i].probability = static_cast<float>(softmax(logits[i])[k]);
    }
    all.push_back(std::move(hull));
  }
  return all;
}

}  // namespace blindspot::evaluation

namespace blindspot {

HullMetrics hull_metrics(std::span<const TrianglePoint> points) {
  HullMetrics metrics;
  metrics.p_source = static_cast<double>(points.front().probability);
  double edge_sum = 0, edge_points = 0, lowest = metrics.p_source;
  for (const TrianglePoint& point : points) {
    const auto p = static_cast<double>(point.probability);
    metrics.mean += p;
    for (std::size_t d = 0; d < confidence_drops.size(); ++d) {
      if (p > metrics.p_source - confidence_drops[d]) metrics.fractions[d] += 1;
    }
    const int edges = (point.t1 == 0 ? 1 : 0) + (point.t2 == 0 ? 1 : 0);
    edge_sum += edges * p;
    edge_points += edges;
    if (edges > 0) lowest = std::min(lowest, p);
  }
  metrics.mean /= static_cast<double>(points.size());
  for (double& fraction : metrics.fractions) fraction /= static_cast<double>(points.size());
  metrics.edge_mean = edge_sum / edge_points;
  metrics.edge_minimum = lowest - metrics.p_source;
  return metrics;
}

}  // namespace blindspot
