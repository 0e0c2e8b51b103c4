// Confidences at points of the convex hull of images: path, triangle, simplex. The public header hull.h says what they
// are; here they run on one Network and one Device. Sees Network, Device and arrays only.
#pragma once

#include <span>
#include <vector>

#include "blindspot/hull.h"
#include "engine/levelset/point_passes.h"

namespace blindspot::levelset {

/// Points Σ_j weights[p, j]·vertices[j]; weights row-major, shared by as many rows as like.
struct MixedRow {
  std::vector<const Image*> vertices;
  std::int32_t source_class = 0;
  std::span<const double> weights;
};

/// Makes the points of mixed rows on the device. Takes memory for the largest number of vertices when made.
class Mixer {
 public:
  Mixer(Network& network, Device& device, std::span<const MixedRow> rows);

  /// What PointPasses is told.
  std::vector<PointRow> point_rows() const;
  void make(std::size_t row, std::int64_t first, Array& points);

 private:
  Device& device_;
  std::span<const MixedRow> rows_;
  std::ptrdiff_t present_ = -1;  // the row whose vertices are on the device
  Array vertices_;
};

/// p at every point of every row, of the row's class. Throws Error(usage) and Stopped.
std::vector<std::vector<float>> mixed_confidences(Network& network, Device& device, std::span<const MixedRow> rows,
                                                  const Cancelled& cancelled);

std::vector<TriangleHull> triangle_hulls(Network& network, Device& device, std::span<const Triangle> triangles,
                                         WalkMode mode, int divisions, const Cancelled& cancelled);
std::vector<StraightPath> straight_paths(Network& network, Device& device, std::span<const Segment> segments,
                                         int divisions, const Cancelled& cancelled);
std::vector<SimplexHull> simplex_hulls(Network& network, Device& device, std::span<const Simplex> simplices,
                                       const SimplexOptions& options, const Cancelled& cancelled);

}  // namespace blindspot::levelset
