// The C interface: hulls, the lowest value in them, width and distances. Uses the public C++ interface.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "blindspot/distances.h"
#include "blindspot/hull.h"
#include "blindspot/width.h"
#include "engine/c_interface/calls.h"
#include "engine/c_interface/model_handle.h"

struct blindspot_distance_measure {
  blindspot::DistanceMeasure measure;
};

namespace blindspot::c_interface {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

Image input_of(const blindspot_model& model, const float* image, const char* name) {
  need(image, name);
  return image_of(image, 0, model.input_size(), model.input_size());
}

void check_divisions(std::int32_t divisions) {
  if (divisions < 1 || divisions > 1000) throw Error(ErrorKind::usage, "divisions: must be between 1 and 1000");
}

float lowest_probability(const std::vector<TrianglePoint>& points) {
  return std::min_element(points.begin(), points.end(),
                          [](const TrianglePoint& a, const TrianglePoint& b) { return a.probability < b.probability; })
      ->probability;
}

void write_interval(const Interval& interval, double (&to)[2]) {
  to[0] = interval.low;
  to[1] = interval.high;
}

/// NaN wherever not every hull has a value.
blindspot_hull_metrics no_metrics() {
  blindspot_hull_metrics metrics{};
  metrics.edge_mean = nothing;
  metrics.edge_minimum = nothing;
  write_interval({nothing, nothing}, metrics.mean_interval);
  for (double(&interval)[2] : metrics.fraction_intervals) write_interval({nothing, nothing}, interval);
  return metrics;
}

blindspot_hull_metrics metrics_of(const TriangleHull& hull) {
  blindspot_hull_metrics metrics = no_metrics();
  metrics.source_probability = hull.metrics.p_source;
  metrics.mean = hull.metrics.mean;
  metrics.minimum = static_cast<double>(lowest_probability(hull.points));
  std::copy(hull.metrics.fractions.begin(), hull.metrics.fractions.end(), metrics.fractions);
  metrics.edge_mean = hull.metrics.edge_mean;
  metrics.edge_minimum = hull.metrics.edge_minimum;
  metrics.points = static_cast<std::int64_t>(hull.points.size());
  return metrics;
}

blindspot_hull_metrics metrics_of(const SimplexHull& hull) {
  blindspot_hull_metrics metrics = no_metrics();
  metrics.source_probability = hull.p_source;
  metrics.mean = hull.mean;
  metrics.minimum = hull.minimum;
  std::copy(hull.fractions.begin(), hull.fractions.end(), metrics.fractions);
  metrics.points = static_cast<std::int64_t>(hull.points.size());
  if (!hull.sampled) return metrics;
  metrics.sampled = 1;
  write_interval(hull.mean_interval, metrics.mean_interval);
  for (std::size_t i = 0; i < hull.fraction_intervals.size(); ++i) {
    write_interval(hull.fraction_intervals.at(i), metrics.fraction_intervals[i]);
  }
  return metrics;
}

SimplexOptions simplex_options_of(const blindspot_simplex_options* wanted) {
  const blindspot_simplex_options given = read_struct(wanted, "options", {});
  SimplexOptions options;
  options.seed = given.seed;
  if (given.divisions != 0) options.divisions = given.divisions;
  if (given.point_budget != 0) options.point_budget = given.point_budget;
  if (given.samples != 0) options.samples = given.samples;
  if (given.confidence_level != 0) options.confidence_level = given.confidence_level;
  options.check();
  return options;
}

void check_target_count(std::size_t target_count) {
  if (target_count == 0) throw Error(ErrorKind::usage, "target_count: must be 1 or more");
  check_count(target_count, "target_count");
}

blindspot_width_options default_width_options() {
  const WidthOptions defaults;
  blindspot_width_options options{};
  options.size = sizeof(options);
  options.directions = defaults.directions;
  options.seed = defaults.seed;
  options.delta = defaults.delta;
  options.mode = BLINDSPOT_STANDARD;
  return options;
}

/// `side` of the network's input; `directions` gets a copy of those that the caller gives.
WidthOptions width_options_of(const blindspot_width_options& given, std::span<const double> radii, int side,
                              std::vector<float>& directions) {
  WidthOptions options;
  options.radii.assign(radii.begin(), radii.end());
  options.directions = given.directions;
  options.delta = given.delta;
  options.seed = given.seed;
  options.mode = mode_of(given.mode);
  options.check();
  if (given.given_directions == nullptr) return options;
  const std::size_t values = std::size_t{3} * static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  directions.assign(given.given_directions,
                    given.given_directions + static_cast<std::size_t>(given.directions) * values);
  if (!std::all_of(directions.begin(), directions.end(), [](float value) { return std::isfinite(value); })) {
    throw Error(ErrorKind::usage, "given_directions: hold NaN or infinity");
  }
  options.given_directions = &directions;
  return options;
}

blindspot_lowest lowest_of(const LowestPoint& found) {
  blindspot_lowest lowest{};
  lowest.source_probability = found.p_source;
  lowest.probability = found.probability;
  std::copy(found.t.begin(), found.t.end(), lowest.t);
  lowest.violation = found.violation ? 1 : 0;
  lowest.points = found.points;
  lowest.gradients = found.gradients;
  lowest.forward_passes = found.forward_passes;
  lowest.grid_passes = found.grid_passes;
  return lowest;
}

}  // namespace
}  // namespace blindspot::c_interface

using namespace blindspot::c_interface;

blindspot_status blindspot_straight_path(blindspot_model* model, const float* source, const float* end,
                                         int32_t source_class, int32_t divisions, float* probabilities,
                                         blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    need(probabilities, "probabilities");
    check_divisions(divisions);
    const blindspot::Image from = input_of(*model, source, "source");
    const blindspot::Image to = input_of(*model, end, "end");
    const blindspot::Segment segment{&from, &to, source_class};
    const auto paths = blindspot::straight_paths(model->model, {&segment, 1}, divisions);
    for (const blindspot::PathPoint& point : paths.front().points) *probabilities++ = point.probability;
  });
}

size_t blindspot_triangle_points(int32_t divisions, blindspot_mode mode) {
  std::size_t points = 0;
  guarded(nullptr, [&] {
    check_divisions(divisions);
    points = blindspot::triangle_grid(divisions, mode_of(mode)).size();
  });
  return points;
}

blindspot_status blindspot_triangle(blindspot_model* model, const float* source, const float* first,
                                    const float* second, int32_t source_class, int32_t divisions, blindspot_mode mode,
                                    double* t, float* probabilities, blindspot_hull_metrics* metrics,
                                    blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    need(probabilities, "probabilities");
    if (metrics != nullptr) check_writable(metrics, "metrics");
    check_divisions(divisions);
    const blindspot::Image corners[3] = {input_of(*model, source, "source"), input_of(*model, first, "first"),
                                         input_of(*model, second, "second")};
    const blindspot::Triangle triangle{&corners[0], &corners[1], &corners[2], source_class};
    const auto hulls = blindspot::triangle_hulls(model->model, {&triangle, 1}, mode_of(mode), divisions);
    const blindspot::TriangleHull& hull = hulls.front();
    for (std::size_t i = 0; i < hull.points.size(); ++i) {
      probabilities[i] = hull.points[i].probability;
      if (t == nullptr) continue;
      t[2 * i] = hull.points[i].t1;
      t[2 * i + 1] = hull.points[i].t2;
    }
    if (metrics != nullptr) write_struct(metrics_of(hull), metrics, "metrics");
  });
}

size_t blindspot_simplex_points(size_t target_count, const blindspot_simplex_options* options) {
  std::int64_t points = 0;
  guarded(nullptr, [&] {
    check_target_count(target_count);
    points = simplex_options_of(options).points(target_count);
  });
  return static_cast<std::size_t>(points);
}

blindspot_status blindspot_simplex(blindspot_model* model, const float* source, const float* targets,
                                   size_t target_count, int32_t source_class, const blindspot_simplex_options* options,
                                   double* t, float* probabilities, blindspot_hull_metrics* metrics,
                                   blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    if (metrics != nullptr) check_writable(metrics, "metrics");
    check_target_count(target_count);
    const blindspot::SimplexOptions checked = simplex_options_of(options);
    const blindspot::Image from = input_of(*model, source, "source");
    const std::vector<blindspot::Image> to = images_of(targets, target_count, model->input_size(), "targets");
    const blindspot::Simplex simplex{&from, pointers_to(to), source_class};
    const auto hulls = blindspot::simplex_hulls(model->model, {&simplex, 1}, checked);
    for (const blindspot::SimplexPoint& point : hulls.front().points) {
      if (probabilities != nullptr) *probabilities++ = point.probability;
      if (t != nullptr) t = std::copy(point.t.begin(), point.t.end(), t);
    }
    if (metrics != nullptr) write_struct(metrics_of(hulls.front()), metrics, "metrics");
  });
}

blindspot_status blindspot_find_lowest(blindspot_model* model, const float* source, const float* targets,
                                       size_t target_count, int32_t source_class, int32_t resolution, double delta,
                                       blindspot_lowest* lowest, blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    check_writable(lowest, "lowest");
    if (target_count != 1 && target_count != 2) {
      throw blindspot::Error(blindspot::ErrorKind::usage, "target_count: must be 1, of a segment, or 2, of a triangle");
    }
    const blindspot::Image from = input_of(*model, source, "source");
    const std::vector<blindspot::Image> to = images_of(targets, target_count, model->input_size(), "targets");
    blindspot::CheckOptions options;
    options.resolution = resolution;
    options.delta = delta;
    std::vector<blindspot::LowestPoint> found;
    if (target_count == 1) {
      const blindspot::Segment segment{&from, &to[0], source_class};
      found = blindspot::check_segments(model->model, {&segment, 1}, options);
    } else {
      const blindspot::Triangle triangle{&from, &to[0], &to[1], source_class};
      found = blindspot::check_triangles(model->model, {&triangle, 1}, options);
    }
    write_struct(lowest_of(found.front()), lowest, "lowest");
  });
}

void blindspot_width_options_default(blindspot_width_options* options) {
  guarded(nullptr, [&] { write_struct(default_width_options(), options, "options"); });
}

blindspot_status blindspot_path_width(blindspot_model* model, const float* image, const float* target,
                                      int32_t source_class, const double* radii, size_t radius_count,
                                      const blindspot_width_options* options, double* q05, double* q95,
                                      blindspot_error* error) {
  return guarded(error, [&] {
    need(model, "model");
    need(radii, "radii");
    need(q05, "q05");
    need(q95, "q95");
    check_count(radius_count, "radius_count");
    const blindspot_width_options given = read_struct(options, "options", default_width_options());
    const blindspot::Image at = input_of(*model, image, "image");
    const blindspot::Image to = input_of(*model, target, "target");
    blindspot::WidthPoint point{&at, &to, source_class, nullptr, given.occurrence};
    blindspot::Image from;
    if (given.source != nullptr) {
      from = input_of(*model, given.source, "source");
      point.source = &from;
    }
    std::vector<float> directions;
    const blindspot::WidthOptions checked =
        width_options_of(given, {radii, radius_count}, model->input_size(), directions);
    const blindspot::PathWidth width = blindspot::path_widths(model->model, {&point, 1}, checked).front();
    for (std::size_t i = 0; i < radius_count; ++i) {
      q05[i] = width.measured ? width.radii[i + 1].q05 : nothing;
      q95[i] = width.measured ? width.radii[i + 1].q95 : nothing;
    }
  });
}

blindspot_status blindspot_distance_open(const char* device, int32_t threads, const char* lpips,
                                         blindspot_distance_measure** opened, blindspot_error* error) {
  return guarded(error, [&] {
    need(opened, "opened");
    *opened = nullptr;
    blindspot::DistanceOptions options;
    if (device != nullptr) options.device = device;
    options.threads = threads;
    if (lpips != nullptr) options.lpips = lpips;
    *opened = new blindspot_distance_measure{blindspot::DistanceMeasure::open(options)};
  });
}

void blindspot_distance_close(blindspot_distance_measure* measure) {
  delete measure;
}

blindspot_status blindspot_distance_between(blindspot_distance_measure* measure, const float* first,
                                            const float* second, int32_t height, int32_t width,
                                            blindspot_distances* distances, blindspot_error* error) {
  return guarded(error, [&] {
    need(measure, "measure");
    need(first, "first");
    need(second, "second");
    check_writable(distances, "distances");
    if (height < 1 || width < 1) {
      throw blindspot::Error(blindspot::ErrorKind::usage, "height and width must be 1 or more");
    }
    const blindspot::Image a = image_of(first, 0, height, width);
    const blindspot::Image b = image_of(second, 0, height, width);
    const blindspot::ImagePair pair{&a, &b};
    const blindspot::Distances measured = measure->measure.measure({&pair, 1}).front();
    blindspot_distances result{};
    result.l2 = measured.l2;
    result.rmse = measured.rmse;
    result.linf = measured.linf;
    result.ssim = measured.ssim.value_or(nothing);
    result.lpips = measured.lpips.value_or(nothing);
    write_struct(result, distances, "distances");
  });
}
