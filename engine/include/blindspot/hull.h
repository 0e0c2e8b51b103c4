// The convex hull of images: the straight path between two, the triangle between three, the simplex between any number,
// with the confidence at every point, and an adaptive search for its lowest value. Images are used as they are given:
// outputs of walks or any others. Part of the public interface; uses the standard library only. Source: Balasubramanian
// et al., NeurIPS 2023 (arXiv 2310.19889), section 4.
//
// Points are mixed in double and rounded once to float32; none is clamped. Confidences are those of the model's own
// precision. Batches run at their full shape and are packed across hulls: a hull's values have the same bits in any
// company. Each function throws Error(usage) for an image that has not the network's input size or a class that the
// network has not, and Stopped if the model was opened with a `cancelled` that says so.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "blindspot/model.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// Drops d below the source's confidence at which fractions are counted.
inline constexpr std::array<double, 4> confidence_drops = {0, 0.1, 0.2, 0.3};

// --- triangle ------------------------------------------------------------------------------------------------------

struct Triangle {
  const Image* source = nullptr;
  const Image* first = nullptr;
  const Image* second = nullptr;
  std::int32_t source_class = 0;
};

/// (1 − t1 − t2)·source + t1·first + t2·second.
struct TrianglePoint {
  double t1 = 0, t2 = 0;
  float probability = 0;  ///< of the source's class
};

struct HullMetrics {
  double p_source = 0;  ///< at the source
  double mean = 0;      ///< over all points
  /// Share of the points whose probability is strictly above p_source − d, d of confidence_drops.
  std::array<double, 4> fractions{};
  double edge_mean = 0;     ///< over the two edges that leave the source, the source counted twice
  double edge_minimum = 0;  ///< lowest on those edges, minus p_source
};

struct TriangleHull {
  std::vector<TrianglePoint> points;  ///< t1 in the outer, t2 in the inner loop
  HullMetrics metrics;
};

/// Of a triangle's grid, which holds the source (t1 = t2 = 0). Throws Error(usage) for one that does not.
HullMetrics hull_metrics(std::span<const TrianglePoint> points);

/// (t1, t2) of the grid with `divisions` k: t1, t2 in {0, 1/k, …, 1}, where 1 − t1 − t2 ≥ 0, t1 outer. `reference`
/// evaluates that condition in double as the authors do, which drops (0.8, 0.2) and (0.9, 0.1) at k = 10.
std::vector<std::array<double, 2>> triangle_grid(int divisions, WalkMode mode);

/// t1, t2 in {0, 1/divisions, …, 1} where t1 + t2 ≤ 1: 66 points for ten divisions. Mode reference keeps what
/// 1 − t1 − t2 ≥ 0 keeps in double as written, which loses (0.8, 0.2) and (0.9, 0.1).
std::vector<TriangleHull> triangle_hulls(Model& model, std::span<const Triangle> triangles, WalkMode mode,
                                         int divisions = 10);

// --- straight path -------------------------------------------------------------------------------------------------

struct Segment {
  const Image* source = nullptr;
  const Image* end = nullptr;
  std::int32_t source_class = 0;
};

/// (1 − t)·source + t·end.
struct PathPoint {
  double t = 0;
  float probability = 0;
};

struct StraightPath {
  std::vector<PathPoint> points;  ///< t = 0, 1/divisions, …, 1
  double minimum = 0;
};

/// 21 points for twenty divisions.
std::vector<StraightPath> straight_paths(Model& model, std::span<const Segment> segments, int divisions = 20);

// --- simplex -------------------------------------------------------------------------------------------------------

struct Simplex {
  const Image* source = nullptr;
  std::vector<const Image*> targets;  ///< at least one
  std::int32_t source_class = 0;
};

struct SimplexOptions {
  int divisions = 10;                ///< of the regular grid
  std::int64_t point_budget = 1000;  ///< a grid of more points than this is not made: points are drawn instead
  std::int64_t samples = 1000;       ///< how many, uniform over the simplex (Dirichlet with all parameters 1)
  std::uint64_t seed = 0;            ///< of the draw, which depends on it and on the images' pixels alone
  double confidence_level = 0.95;    ///< of the intervals, in (0, 1)

  /// Throws Error(usage) naming the option whose value is out of range.
  void check() const;
  /// Whether the points of a simplex with so many targets are drawn: its grid has more than the budget.
  bool draws(std::size_t targets) const;
  /// How many points it has, of the grid or drawn.
  std::int64_t points(std::size_t targets) const;
};

struct SimplexPoint {
  std::vector<double> t;  ///< weights of the targets; the source's is 1 − Σ t
  float probability = 0;
};

struct Interval {
  double low = 0, high = 0;
};

struct SimplexHull {
  bool sampled = false;  ///< drawn, not a grid
  std::vector<SimplexPoint> points;
  double p_source = 0, mean = 0, minimum = 0;
  std::array<double, 4> fractions{};  ///< as in HullMetrics
  /// Only where sampled: of the mean over the simplex (normal approximation by Student's t), and of each fraction
  /// (Wilson 1927), at the asked level.
  Interval mean_interval;
  std::array<Interval, 4> fraction_intervals{};
};

/// Points of the regular grid of a simplex with `targets` targets: (divisions + targets choose targets), or the largest
/// number there is where that is beyond it.
std::int64_t simplex_grid_points(std::size_t targets, int divisions);

/// p_source is at the source itself, whether or not it is among the points. Throws Error(usage) for options out of
/// range.
std::vector<SimplexHull> simplex_hulls(Model& model, std::span<const Simplex> simplices, const SimplexOptions& options);

// --- the lowest value between grid points --------------------------------------------------------------------------

struct CheckOptions {
  int resolution = 64;  ///< divisions of the finest grid: edges of 1/resolution are not divided further
  double delta = 0.2;   ///< δ: a point below p_source − δ is a violation
  int start = 8;        ///< divisions of the first grid
};

/// What an adaptive check found.
struct LowestPoint {
  double p_source = 0;
  std::vector<double> t;         ///< weights of the targets where the lowest value lies
  double probability = 0;        ///< the lowest value found
  bool violation = false;        ///< p_source − probability > δ
  std::int64_t points = 0;       ///< points at which the network was asked
  std::int64_t gradients = 0;    ///< of them with a gradient
  double forward_passes = 0;     ///< cost: a gradient counts as the forward passes that it costs
  std::int64_t grid_passes = 0;  ///< what the uniform grid of `resolution` costs
};

/// Searches segments for their lowest confidence, dividing where the values or directional derivatives at the ends of a
/// piece (∇ₓ p · direction, by the input gradient) suggest that it may fall below p_source − δ or below the lowest
/// value known. Throws Error(usage) for options out of range.
std::vector<LowestPoint> check_segments(Model& model, std::span<const Segment> segments, const CheckOptions& options);
/// The same for triangles.
std::vector<LowestPoint> check_triangles(Model& model, std::span<const Triangle> triangles,
                                         const CheckOptions& options);

}  // namespace blindspot
