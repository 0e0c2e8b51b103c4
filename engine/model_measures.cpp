// The measures of the public headers hull.h and width.h on a Model: memory first, then the work. Sees every floor
// below.
#include <algorithm>

#include "engine/levelset/hull.h"
#include "engine/levelset/lowest.h"
#include "engine/levelset/width.h"
#include "engine/model_inside.h"

namespace blindspot {
namespace {

/// Calls `work(network, device, cancelled)` on the model's working network once the memory of `one_unit`, the same for
/// the least there can be, is taken. `images`: how many go through the network in all.
template <typename OneUnit, typename Work>
auto with_memory(Model& model, std::int64_t images, const OneUnit& one_unit, const Work& work) {
  ModelNetworks& networks = ModelInside::networks(model);
  networks.prepare_points(static_cast<std::size_t>(std::max<std::int64_t>(images, 1)), one_unit);
  NetworkOnDevice& working = networks.working();
  return work(*working.network, *working.device, ModelInside::cancelled(model));
}

std::int64_t all_of(std::size_t hulls, std::int64_t points) {
  return static_cast<std::int64_t>(hulls) * points;
}

/// Forward passes that a forward pass with its gradient costs, as the network's operations have it.
double cost_of_gradient(std::span<const OperationWork> work) {
  double forward = 0;
  double both = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    both += work[i].operations;
    if (i % 2 == 0) forward += work[i].operations;
  }
  return forward > 0 ? both / forward : 2;
}

std::vector<LowestPoint> lowest(Model& model, std::span<const levelset::SearchedHull> hulls,
                                const CheckOptions& options) {
  const double cost = cost_of_gradient(model.work_per_slice());
  return with_memory(
      model, all_of(hulls.size(), options.start),
      [&](Network& network, Device& device) {
        levelset::lowest_points(network, device, hulls.first(std::min<std::size_t>(hulls.size(), 1)), options, cost,
                                {});
      },
      [&](Network& network, Device& device, const Cancelled& cancelled) {
        return levelset::lowest_points(network, device, hulls, options, cost, cancelled);
      });
}

}  // namespace

std::vector<TriangleHull> triangle_hulls(Model& model, std::span<const Triangle> triangles, WalkMode mode,
                                         int divisions) {
  return with_memory(
      model, all_of(triangles.size(), simplex_grid_points(2, divisions)),
      [&](Network& network, Device& device) {
        levelset::triangle_hulls(network, device, triangles.first(std::min<std::size_t>(triangles.size(), 1)), mode,
                                 divisions, {});
      },
      [&](Network& network, Device& device, const Cancelled& cancelled) {
        return levelset::triangle_hulls(network, device, triangles, mode, divisions, cancelled);
      });
}

std::vector<StraightPath> straight_paths(Model& model, std::span<const Segment> segments, int divisions) {
  return with_memory(
      model, all_of(segments.size(), simplex_grid_points(1, divisions)),
      [&](Network& network, Device& device) {
        levelset::straight_paths(network, device, segments.first(std::min<std::size_t>(segments.size(), 1)), divisions,
                                 {});
      },
      [&](Network& network, Device& device, const Cancelled& cancelled) {
        return levelset::straight_paths(network, device, segments, divisions, cancelled);
      });
}

std::vector<SimplexHull> simplex_hulls(Model& model, std::span<const Simplex> simplices,
                                       const SimplexOptions& options) {
  std::int64_t images = 0;
  for (const Simplex& simplex : simplices) {
    images += options.points(simplex.targets.size());
  }
  return with_memory(
      model, images,
      [&](Network& network, Device& device) {
        // The one with the most vertices.
        const auto largest = std::max_element(simplices.begin(), simplices.end(), [](const auto& a, const auto& b) {
          return a.targets.size() < b.targets.size();
        });
        if (largest != simplices.end()) levelset::simplex_hulls(network, device, {&*largest, 1}, options, {});
      },
      [&](Network& network, Device& device, const Cancelled& cancelled) {
        return levelset::simplex_hulls(network, device, simplices, options, cancelled);
      });
}

namespace {

std::int64_t passes_of(const WidthOptions& options) {
  options.check();
  return passes_of_width(options.directions, options.radii.size());
}

/// The memory of one point is that of any number.
void rehearse_widths(Network& network, Device& device, std::span<const WidthPoint> points,
                     const WidthOptions& options) {
  // A rehearsal's probabilities are 0, and a point is measured from delta on.
  WidthOptions measured = options;
  measured.delta = 0;
  measured.progress = {};
  levelset::path_widths(network, device, points.first(std::min<std::size_t>(points.size(), 1)), measured, {});
}

}  // namespace

WidthOptions WidthOptions::of(const WalkParameters& parameters) {
  WidthOptions options;
  options.delta = parameters.delta;
  options.seed = parameters.seed;
  options.mode = parameters.mode;
  return options;
}

void prepare_widths(Model& model, const WidthOptions& options) {
  ModelInside::networks(model).prepare_points(
      static_cast<std::size_t>(passes_of(options)), [&options](Network& network, Device& device) {
        const std::int64_t height = network.height(), width = network.width();
        const Image grey{static_cast<int>(height), static_cast<int>(width),
                         std::vector<float>(static_cast<std::size_t>(3 * height * width), 0.5F)};
        const WidthPoint point{&grey, &grey, 0, nullptr, 0};
        rehearse_widths(network, device, {&point, 1}, options);
      });
}

std::vector<PathWidth> path_widths(Model& model, std::span<const WidthPoint> points, const WidthOptions& options) {
  return with_memory(
      model, all_of(points.size(), passes_of(options)),
      [&](Network& network, Device& device) { rehearse_widths(network, device, points, options); },
      [&](Network& network, Device& device, const Cancelled& cancelled) {
        return levelset::path_widths(network, device, points, options, cancelled);
      });
}

std::vector<LowestPoint> check_segments(Model& model, std::span<const Segment> segments, const CheckOptions& options) {
  std::vector<levelset::SearchedHull> hulls;
  for (const Segment& segment : segments) hulls.push_back({segment.source, {segment.end}, segment.source_class});
  return lowest(model, hulls, options);
}

std::vector<LowestPoint> check_triangles(Model& model, std::span<const Triangle> triangles,
                                         const CheckOptions& options) {
  std::vector<levelset::SearchedHull> hulls;
  for (const Triangle& triangle : triangles) {
    hulls.push_back({triangle.source, {triangle.first, triangle.second}, triangle.source_class});
  }
  return lowest(model, hulls, options);
}

}  // namespace blindspot
