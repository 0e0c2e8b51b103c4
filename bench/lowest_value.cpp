// Measures the adaptive check of segments and triangles (hull.h) against uniform grids, on walks that `traverse` made:
// what it costs, how near its lowest value comes to that of a grid four times finer, and whether it misses a violation
// that the finer grid finds. Exit code 1 where a promise does not hold. Uses the public headers only.
//
//   lowest_value MODEL DIR [RESOLUTION OF SEGMENTS] [RESOLUTION OF TRIANGLES] [DELTA]
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blindspot/hull.h"
#include "blindspot/weights.h"

namespace {

using namespace blindspot;

constexpr std::size_t most_segments = 50;
constexpr std::size_t most_triangles = 20;
constexpr double share_of_grid = 1.0 / 3;
constexpr double lowest_within = 1e-3;

struct Walks {
  std::vector<Image> sources, finals;
  std::vector<std::string> source_names;
  std::vector<std::int32_t> classes;
};

std::vector<Image> images_of(const FloatTensor& tensor) {
  std::vector<Image> images;
  const auto count = static_cast<std::ptrdiff_t>(tensor.values.size()) / tensor.shape.at(0);
  for (auto from = tensor.values.begin(); from != tensor.values.end(); from += count) {
    images.push_back({static_cast<int>(tensor.shape[2]), static_cast<int>(tensor.shape[3]), {from, from + count}});
  }
  return images;
}

Walks read_walks(const std::string& folder) {
  const auto tensors = read_float_tensors(folder + "/images.safetensors", {"source", "final"});
  Walks walks;
  walks.sources = images_of(tensors.at("source"));
  walks.finals = images_of(tensors.at("final"));
  const auto result = nlohmann::json::parse(std::ifstream(folder + "/result.json"));
  for (const auto& pair : result.at("pairs")) {
    walks.source_names.push_back(pair.at("source").at("path").get<std::string>());
    walks.classes.push_back(pair.at("source").at("class").get<std::int32_t>());
  }
  return walks;
}

/// What one hull's fine grid holds.
struct FineGrid {
  double p_source = 0, lowest = 1;
};

/// Says how the checks did; false where a promise is broken.
bool report(const std::string& what, const std::vector<LowestPoint>& found, const std::vector<FineGrid>& fine,
            const CheckOptions& options) {
  double cost = 0;
  double grid = 0;
  double dearest = 0;
  double worst = -1;
  int missed = 0;
  int violations = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    cost += found[i].forward_passes;
    grid += static_cast<double>(found[i].grid_passes);
    dearest = std::max(dearest, found[i].forward_passes / static_cast<double>(found[i].grid_passes));
    worst = std::max(worst, found[i].probability - fine[i].lowest);
    const bool violated = fine[i].p_source - fine[i].lowest > options.delta;
    violations += violated ? 1 : 0;
    missed += violated && !found[i].violation ? 1 : 0;
    fmt::print("  {} {}: lowest {:.6f}, fine grid {:.6f}, {} points, {:.0f} of {} forward passes{}\n", what, i,
               found[i].probability, fine[i].lowest, found[i].points, found[i].forward_passes, found[i].grid_passes,
               violated ? ", violated" : "");
  }
  fmt::print(
      "{} {} to 1/{}, delta {}: {:.1f} % of the uniform grid's cost (dearest {:.1f} %), lowest value at most {:.2e} "
      "above "
      "that of the grid of 1/{}; {} of them violated, {} missed\n",
      found.size(), what, options.resolution, options.delta, 100 * cost / grid, 100 * dearest, worst,
      4 * options.resolution, violations, missed);
  std::fflush(stdout);
  return dearest <= share_of_grid && worst <= lowest_within && missed == 0;
}

bool measure_segments(Model& model, const Walks& walks, const CheckOptions& options) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < std::min(walks.sources.size(), most_segments); ++i) {
    segments.push_back({&walks.sources[i], &walks.finals[i], walks.classes[i]});
  }
  const std::vector<LowestPoint> found = check_segments(model, segments, options);
  std::vector<FineGrid> fine;
  for (const StraightPath& path : straight_paths(model, segments, 4 * options.resolution)) {
    fine.push_back({static_cast<double>(path.points[0].probability), path.minimum});
  }
  return report("segments", found, fine, options);
}

bool measure_triangles(Model& model, const Walks& walks, const CheckOptions& options) {
  std::vector<Triangle> triangles;
  // Two walks of one source that follow each other, no walk twice.
  for (std::size_t i = 0; i + 1 < walks.sources.size() && triangles.size() < most_triangles; ++i) {
    if (walks.source_names[i] != walks.source_names[i + 1]) continue;
    triangles.push_back({&walks.sources[i], &walks.finals[i], &walks.finals[i + 1], walks.classes[i]});
    ++i;
  }
  const std::vector<LowestPoint> found = check_triangles(model, triangles, options);
  std::vector<FineGrid> fine;
  for (const Triangle& triangle : triangles) {
    const TriangleHull hull = triangle_hulls(model, {&triangle, 1}, WalkMode::standard, 4 * options.resolution).at(0);
    FineGrid& grid = fine.emplace_back();
    grid.p_source = hull.metrics.p_source;
    for (const TrianglePoint& point : hull.points) {
      grid.lowest = std::min(grid.lowest, static_cast<double>(point.probability));
    }
  }
  return report("triangles", found, fine, options);
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.size() < 2) {
    fmt::print(stderr, "usage: lowest_value MODEL DIR [RESOLUTION OF SEGMENTS] [RESOLUTION OF TRIANGLES] [DELTA]\n");
    return 2;
  }
  try {
    Model model = Model::open(arguments[0]);
    const Walks walks = read_walks(arguments[1]);
    CheckOptions options;
    options.delta = arguments.size() > 4 ? std::stod(arguments[4]) : 0.2;
    options.resolution = arguments.size() > 2 ? std::stoi(arguments[2]) : 128;
    bool holds = options.resolution == 0 || measure_segments(model, walks, options);
    options.resolution = arguments.size() > 3 ? std::stoi(arguments[3]) : 32;
    holds = (options.resolution == 0 || measure_triangles(model, walks, options)) && holds;
    return holds ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lowest_value: {}\n", error.what());
    return 3;
  }
}
