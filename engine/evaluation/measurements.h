// What is measured of finished walks: distances and hulls. Sees the public headers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "blindspot/distances.h"
#include "blindspot/hull.h"

namespace blindspot::evaluation {

class Measurements {
 public:
  explicit Measurements(const DistanceOptions& options);
  std::vector<Distances> distances(std::span<const ImagePair> pairs);
  std::vector<TriangleHull> hulls(Model& model, std::span<const Triangle> triangles, WalkMode mode, int divisions);
  std::string lpips_sha256() const { return {}; }
};

}  // namespace blindspot::evaluation
