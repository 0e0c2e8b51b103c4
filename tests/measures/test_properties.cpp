// What must hold for any network: equal vertices, constant networks, permuted rows, company, small images. Uses toy
// networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/levelset/hull.h"
#include "engine/levelset/image_distances.h"
#include "engine/levelset/width.h"
#include "tests/walk/toy_networks.h"
#include "tests/walk/walk_fixture.h"

namespace blindspot::tests {
namespace {

constexpr int height = 6;
constexpr int width = 5;
constexpr std::int64_t values = std::int64_t{3} * height * width;

struct Toy {
  std::unique_ptr<Device> device = test_device();
  ToyModel model;
  ToyNetwork network;

  explicit Toy(std::int64_t batch, double gain = 0.3)
      : model(gain == 0 ? ToyModel::constant(values, 4) : ToyModel::random(values, 4, gain, 0.05)),
        network(model, *device, batch, height, width) {}
};

std::vector<Image> some_images(std::size_t count) {
  std::vector<Image> images;
  for (std::size_t i = 0; i < count; ++i) images.push_back(test_image(i, height, width));
  return images;
}

std::vector<Triangle> triangles_of(const std::vector<Image>& images) {
  std::vector<Triangle> triangles;
  for (std::size_t i = 0; i + 2 < images.size(); ++i) {
    triangles.push_back({&images[i], &images[i + 1], &images[i + 2], static_cast<std::int32_t>(i % 4)});
  }
  return triangles;
}

std::vector<float> probabilities_of(const TriangleHull& hull) {
  std::vector<float> probabilities;
  for (const TrianglePoint& point : hull.points) probabilities.push_back(point.probability);
  return probabilities;
}

TEST_CASE("a triangle with three equal vertices never falls, and is nowhere above its source") {
  Toy toy(4);
  const std::vector<Image> images = some_images(1);
  const std::vector<Triangle> triangles = {{&images[0], &images[0], &images[0], 2}};
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    const auto hull = levelset::triangle_hulls(toy.network, *toy.device, triangles, mode, 10, {}).at(0);
    CHECK(hull.points.size() == (mode == WalkMode::reference ? 64 : 66));
    CHECK(hull.metrics.fractions == std::array<double, 4>{0, 1, 1, 1});
    CHECK(hull.metrics.edge_minimum == 0);
    CHECK(hull.metrics.mean == doctest::Approx(hull.metrics.p_source).epsilon(1e-12));
  }
}

TEST_CASE("permuting triangles permutes their rows and changes no value, whatever the company and the slice") {
  const std::vector<Image> images = some_images(5);
  std::vector<Triangle> triangles = triangles_of(images);
  Toy toy(8);
  const auto together = levelset::triangle_hulls(toy.network, *toy.device, triangles, WalkMode::standard, 10, {});
  std::swap(triangles[0], triangles[2]);
  const auto swapped = levelset::triangle_hulls(toy.network, *toy.device, triangles, WalkMode::standard, 10, {});
  for (std::size_t i = 0; i < triangles.size(); ++i) {
    CHECK(same_bits(probabilities_of(together[i]), probabilities_of(swapped[2 - i])));
    const auto alone = levelset::triangle_hulls(toy.network, *toy.device, std::span(triangles).subspan(i, 1),
                                                WalkMode::standard, 10, {});
    CHECK(same_bits(probabilities_of(alone[0]), probabilities_of(swapped[i])));
  }
}

TEST_CASE("points are mixed in double and judged by the source's class") {
  const std::vector<Image> images = some_images(3);
  Toy toy(4);
  const auto hull = levelset::triangle_hulls(toy.network, *toy.device, triangles_of(images), WalkMode::standard, 4, {});
  for (const TrianglePoint& point : hull.at(0).points) {
    std::vector<double> mixed(static_cast<std::size_t>(values));
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      mixed[i] = (1 - point.t1 - point.t2) * static_cast<double>(images[0].values[i]) +
                 point.t1 * static_cast<double>(images[1].values[i]) +
                 point.t2 * static_cast<double>(images[2].values[i]);
    }
    const std::vector<double> logits = toy.model.logits(mixed);
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit);
    CHECK(std::abs(static_cast<double>(point.probability) - std::exp(logits[0]) / sum) < 1e-5);
  }
}

TEST_CASE("the metrics of a hull of made-up values") {
  // t2 →  0     1/2   1
  //   0   0.9   0.85  0.5
  // 1/2   0.7   0.95
  //   1   0.65
  const std::vector<TrianglePoint> points = {{0, 0, 0.9F},   {0, 0.5, 0.85F},   {0, 1, 0.5F},
                                             {0.5, 0, 0.7F}, {0.5, 0.5, 0.95F}, {1, 0, 0.65F}};
  const HullMetrics metrics = hull_metrics(points);
  CHECK(metrics.p_source == doctest::Approx(0.9));
  CHECK(metrics.mean == doctest::Approx(4.55 / 6));
  CHECK(metrics.fractions[0] == doctest::Approx(1.0 / 6));
  CHECK(metrics.fractions[1] == doctest::Approx(3.0 / 6));
  CHECK(metrics.fractions[3] == doctest::Approx(5.0 / 6));
  CHECK(metrics.edge_mean == doctest::Approx((0.9 + 0.85 + 0.5 + 0.9 + 0.7 + 0.65) / 6));
  CHECK(metrics.edge_minimum == doctest::Approx(0.5 - 0.9));
  CHECK_THROWS_AS(hull_metrics(std::span(points).subspan(1)), Error);
}

TEST_CASE("a simplex of one or two targets is the path and the triangle") {
  const std::vector<Image> images = some_images(3);
  Toy toy(4);
  const std::vector<Simplex> simplices = {{&images[0], {&images[1]}, 1}, {&images[0], {&images[1], &images[2]}, 1}};
  SimplexOptions options;
  const auto hulls = levelset::simplex_hulls(toy.network, *toy.device, simplices, options, {});
  const std::vector<Segment> segments = {{&images[0], &images[1], 1}};
  const std::vector<Triangle> triangles = {{&images[0], &images[1], &images[2], 1}};
  const auto path = levelset::straight_paths(toy.network, *toy.device, segments, 10, {}).at(0);
  const auto triangle = levelset::triangle_hulls(toy.network, *toy.device, triangles, WalkMode::standard, 10, {}).at(0);
  REQUIRE(hulls[0].points.size() == 11);
  REQUIRE(hulls[1].points.size() == 66);
  for (std::size_t i = 0; i < 11; ++i) CHECK(hulls[0].points[i].probability == path.points[i].probability);
  for (std::size_t i = 0; i < 66; ++i) {
    CHECK(hulls[1].points[i].probability == triangle.points[i].probability);
    CHECK(hulls[1].points[i].t == std::vector<double>{triangle.points[i].t1, triangle.points[i].t2});
  }
  CHECK(hulls[1].fractions == triangle.metrics.fractions);
  CHECK(hulls[1].mean == triangle.metrics.mean);
  CHECK_FALSE(hulls[1].sampled);
}

TEST_CASE("counts of grid points, also beyond what fits a number") {
  CHECK(simplex_grid_points(1, 10) == 11);
  CHECK(simplex_grid_points(2, 10) == 66);
  CHECK(simplex_grid_points(3, 10) == 286);
  CHECK(simplex_grid_points(10, 10) == 184756);
  CHECK(simplex_grid_points(2000, 2000) == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("above the budget points are drawn uniformly, and the intervals hold what a fine grid finds") {
  const std::vector<Image> images = some_images(4);
  Toy toy(16, 0.15);
  const std::vector<Simplex> simplex = {{&images[0], {&images[1], &images[2], &images[3]}, 3}};
  SimplexOptions fine;
  fine.divisions = 24;
  fine.point_budget = 100'000;
  const SimplexHull grid = levelset::simplex_hulls(toy.network, *toy.device, simplex, fine, {}).at(0);
  SimplexOptions drawing;
  drawing.divisions = 10;
  drawing.point_budget = 200;
  drawing.samples = 2000;
  drawing.confidence_level = 0.999;
  const SimplexHull drawn = levelset::simplex_hulls(toy.network, *toy.device, simplex, drawing, {}).at(0);
  REQUIRE(drawn.sampled);
  REQUIRE(drawn.points.size() == 2000);
  CHECK(drawn.p_source == grid.p_source);
  // Every weight of a uniform point of a tetrahedron has mean 1/4 and variance 3/80.
  std::array<double, 3> sums{};
  std::array<double, 3> squares{};
  for (const SimplexPoint& point : drawn.points) {
    double sum = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      sums[j] += point.t[j];
      squares[j] += (point.t[j] - 0.25) * (point.t[j] - 0.25);
      sum += point.t[j];
      CHECK(point.t[j] >= 0);
    }
    CHECK(sum <= 1);
  }
  for (std::size_t j = 0; j < 3; ++j) {
    CHECK(std::abs(sums[j] / 2000 - 0.25) < 4 * std::sqrt(3.0 / 80 / 2000));
    CHECK(squares[j] / 2000 == doctest::Approx(3.0 / 80).epsilon(0.15));
  }
  // A grid's own faces weigh more than they should, by a share of about 1/divisions; hence the slack.
  CHECK(drawn.mean_interval.low < grid.mean + 0.01);
  CHECK(drawn.mean_interval.high > grid.mean - 0.01);
  CHECK(drawn.mean_interval.low < drawn.mean);
  CHECK(drawn.mean < drawn.mean_interval.high);
  for (std::size_t d = 0; d < 4; ++d) {
    CHECK(drawn.fraction_intervals[d].low <= drawn.fractions[d]);
    CHECK(drawn.fractions[d] <= drawn.fraction_intervals[d].high);
    CHECK(drawn.fraction_intervals[d].low < drawn.fraction_intervals[d].high);
  }
  // The draw is named by seed and pixels.
  const SimplexHull again = levelset::simplex_hulls(toy.network, *toy.device, simplex, drawing, {}).at(0);
  CHECK(again.points[17].t == drawn.points[17].t);
  CHECK(again.mean == drawn.mean);
  drawing.seed = 1;
  CHECK(levelset::simplex_hulls(toy.network, *toy.device, simplex, drawing, {}).at(0).points[17].t !=
        drawn.points[17].t);
}

TEST_CASE("the width of a constant network is its value at every radius") {
  Toy toy(4, 0);
  const std::vector<Image> images = some_images(2);
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 1}};
  WidthOptions options;
  options.directions = 16;
  const auto measured = levelset::path_widths(toy.network, *toy.device, points, options, {}).at(0);
  REQUIRE(measured.measured);
  CHECK(measured.probability == 0.25F);
  REQUIRE(measured.radii.size() == 5);
  for (const WidthRadius& radius : measured.radii) {
    CHECK(radius.q05 == 0.25);
    CHECK(radius.q95 == 0.25);
  }
  options.delta = 0.26F;
  const auto below = levelset::path_widths(toy.network, *toy.device, points, options, {}).at(0);
  CHECK_FALSE(below.measured);
  CHECK(below.radii.empty());
  // The authors' J·J = 0 is NaN.
  options.delta = 0.2F;
  options.mode = WalkMode::reference;
  const auto reference = levelset::path_widths(toy.network, *toy.device, points, options, {}).at(0);
  CHECK(std::isnan(reference.radii.at(1).q05));
}

TEST_CASE("the progress of widths grows to the whole, also where some points are not measured") {
  Toy toy(4);
  const std::vector<Image> images = some_images(3);
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 0}, {&images[1], &images[2], 1}};
  WidthOptions options;
  options.directions = 3;
  std::vector<double> shares;
  options.progress = [&shares](double share) { shares.push_back(share); };
  const auto passes = [&](float delta) {
    options.delta = delta;
    shares.clear();
    levelset::path_widths(toy.network, *toy.device, points, options, {});
    CHECK(std::is_sorted(shares.begin(), shares.end()));
    return shares.size();
  };
  CHECK(passes(0) == 2 * (1 + 1 + 4 * 3));
  CHECK(shares.front() == doctest::Approx(1.0 / 28));
  CHECK(shares.back() == 1);
  const auto widths = levelset::path_widths(toy.network, *toy.device, points, options, {});
  REQUIRE(widths[0].probability != widths[1].probability);
  CHECK(passes(std::max(widths[0].probability, widths[1].probability)) == 2 + 1 + 4 * 3);
  CHECK(shares.back() == 1);
}

TEST_CASE("widths have the same bits in any company, order and slice") {
  const std::vector<Image> images = some_images(4);
  std::vector<WidthPoint> points;
  for (std::size_t i = 0; i + 1 < images.size(); ++i) points.push_back({&images[i], &images[i + 1], 0});
  WidthOptions options;
  options.directions = 10;
  options.delta = 0;
  Toy toy(8);
  const auto together = levelset::path_widths(toy.network, *toy.device, points, options, {});
  std::swap(points[0], points[2]);
  const auto swapped = levelset::path_widths(toy.network, *toy.device, points, options, {});
  const auto same = [](const PathWidth& a, const PathWidth& b) {
    bool equal = a.probability == b.probability && a.radii.size() == b.radii.size();
    for (std::size_t r = 0; equal && r < a.radii.size(); ++r) {
      equal = a.radii[r].q05 == b.radii[r].q05 && a.radii[r].q95 == b.radii[r].q95;
    }
    return equal;
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    CHECK(same(together[i], swapped[2 - i]));
    CHECK(same(levelset::path_widths(toy.network, *toy.device, std::span(points).subspan(i, 1), options, {}).at(0),
               swapped[i]));
    CHECK(together[i].radii[4].q05 < together[i].radii[4].q95);
  }
  // Another seed draws other directions.
  options.seed = 5;
  CHECK_FALSE(same(levelset::path_widths(toy.network, *toy.device, points, options, {})[0], swapped[0]));
}

TEST_CASE("drawn directions are those given in a file of the same numbers") {
  const std::vector<Image> images = some_images(2);
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 0}};
  Toy toy(8);
  WidthOptions options;
  options.directions = 10;
  options.delta = 0;
  const auto drawn = levelset::path_widths(toy.network, *toy.device, points, options, {}).at(0);
  std::vector<float> directions(static_cast<std::size_t>(10 * values));
  levelset::gaussian(
      {0, levelset::hash_pixels(images[0].values, images[1].values), 0, levelset::RandomUse::width_directions},
      directions);
  options.given_directions = &directions;
  const auto given = levelset::path_widths(toy.network, *toy.device, points, options, {}).at(0);
  for (std::size_t r = 0; r < 5; ++r) CHECK(drawn.radii[r].q05 == given.radii[r].q05);
}

TEST_CASE("quantiles interpolate linearly") {
  std::vector<double> ramp = {4, 1, 3, 2, 0};
  CHECK(levelset::quantile(ramp, 0.05) == doctest::Approx(0.2));
  CHECK(levelset::quantile(ramp, 0.95) == doctest::Approx(3.8));
  std::vector<double> one = {7};
  CHECK(levelset::quantile(one, 0.05) == 7);
  std::vector<double> broken = {1, std::nan(""), 2};
  CHECK(std::isnan(levelset::quantile(broken, 0.5)));
}

TEST_CASE("what cannot be measured is refused, or none") {
  Toy toy(4);
  const std::vector<Image> images = some_images(2);
  const Image larger = test_image(9, height + 1, width);
  const std::vector<Triangle> unequal = {{&images[0], &images[1], &larger, 0}};
  CHECK_THROWS_AS(levelset::triangle_hulls(toy.network, *toy.device, unequal, WalkMode::standard, 10, {}), Error);
  const std::vector<Triangle> no_class = {{&images[0], &images[1], &images[1], 4}};
  CHECK_THROWS_AS(levelset::triangle_hulls(toy.network, *toy.device, no_class, WalkMode::standard, 10, {}), Error);
  WidthOptions options;
  options.radii = {0.5, -1};
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 0}};
  CHECK_THROWS_AS(levelset::path_widths(toy.network, *toy.device, points, options, {}), Error);
  const std::vector<Triangle> fits = {{&images[0], &images[1], &images[0], 0}};
  CHECK_THROWS_AS(levelset::triangle_hulls(toy.network, *toy.device, fits, WalkMode::standard, 10, [] { return true; }),
                  Stopped);

  const Image small = test_image(1, 5, 8);
  for (const auto& [image, mode, has] : {std::tuple{&small, WalkMode::standard, false},
                                         {&images[0], WalkMode::standard, false},
                                         {&images[0], WalkMode::reference, false}}) {
    levelset::ImageDistances distances(*toy.device, std::nullopt, mode);
    const std::vector<ImagePair> pairs = {{image, image}};
    const Distances measured = distances.measure(pairs, {}).at(0);
    CHECK(measured.ssim.has_value() == has);
    CHECK_FALSE(measured.lpips);
    CHECK(measured.rmse == 0);
  }
  levelset::ImageDistances distances(*toy.device, std::nullopt, WalkMode::standard);
  const std::vector<ImagePair> unequal_pair = {{&images[0], &larger}};
  CHECK_THROWS_AS(distances.measure(unequal_pair, {}), Error);
}

TEST_CASE("pairs of several sizes are measured in any order, with the same bits") {
  const auto device = test_device();
  std::vector<Image> images;
  for (const auto& [rows, columns] : {std::pair{12, 13}, {12, 13}, {20, 6}, {20, 6}, {5, 9}, {5, 9}}) {
    images.push_back(test_image(images.size(), rows, columns));
  }
  std::vector<ImagePair> pairs;
  for (std::size_t i = 0; i < images.size(); i += 2) pairs.push_back({&images[i], &images[i + 1]});
  pairs.push_back({&images[1], &images[0]});
  levelset::ImageDistances distances(*device, std::nullopt, WalkMode::standard);
  const std::vector<Distances> together = distances.measure(pairs, {});
  REQUIRE(together[0].ssim);
  CHECK(together[3].ssim == doctest::Approx(*together[0].ssim).epsilon(1e-12));
  CHECK_FALSE(together[2].ssim);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Distances alone = distances.measure(std::span(pairs).subspan(i, 1), {}).at(0);
    CHECK(alone.ssim == together[i].ssim);
    CHECK(alone.l2 == together[i].l2);
  }
}

}  // namespace
}  // namespace blindspot::tests
