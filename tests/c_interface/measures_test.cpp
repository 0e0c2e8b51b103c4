// The simplex, the lowest value and the width of a path through the C interface: the numbers of C++, bit for bit, and
// what is refused. Uses the public headers.
#include <array>
#include <cmath>

#include "blindspot/hull.h"
#include "blindspot/model.h"
#include "blindspot/width.h"
#include "tests/c_interface/opened.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

namespace {

blindspot_hull_metrics no_metrics() {
  blindspot_hull_metrics metrics{};
  metrics.size = sizeof(metrics);
  return metrics;
}

void check_same(const blindspot_hull_metrics& metrics, const SimplexHull& expected) {
  CHECK(metrics.source_probability == expected.p_source);
  CHECK(metrics.mean == expected.mean);
  CHECK(metrics.minimum == expected.minimum);
  for (std::size_t i = 0; i < expected.fractions.size(); ++i) CHECK(metrics.fractions[i] == expected.fractions.at(i));
  CHECK(std::isnan(metrics.edge_mean));
  CHECK(std::isnan(metrics.edge_minimum));
  CHECK(metrics.points == static_cast<std::int64_t>(expected.points.size()));
  CHECK((metrics.sampled == 1) == expected.sampled);
  if (!expected.sampled) {
    CHECK(std::isnan(metrics.mean_interval[0]));
    CHECK(std::isnan(metrics.fraction_intervals[3][1]));
    return;
  }
  CHECK(metrics.mean_interval[0] == expected.mean_interval.low);
  CHECK(metrics.mean_interval[1] == expected.mean_interval.high);
  CHECK(metrics.mean_interval[0] < metrics.mean);
  for (std::size_t i = 0; i < expected.fraction_intervals.size(); ++i) {
    CHECK(metrics.fraction_intervals[i][0] == expected.fraction_intervals.at(i).low);
    CHECK(metrics.fraction_intervals[i][1] == expected.fraction_intervals.at(i).high);
  }
}

void check_same(const blindspot_lowest& lowest, const LowestPoint& expected) {
  CHECK(lowest.source_probability == expected.p_source);
  CHECK(lowest.probability == expected.probability);
  for (std::size_t i = 0; i < 2; ++i) CHECK(lowest.t[i] == (i < expected.t.size() ? expected.t[i] : 0));
  CHECK((lowest.violation == 1) == expected.violation);
  CHECK(lowest.points == expected.points);
  CHECK(lowest.gradients == expected.gradients);
  CHECK(lowest.forward_passes == expected.forward_passes);
  CHECK(lowest.grid_passes == expected.grid_passes);
}

}  // namespace

TEST_CASE("a simplex is that of C++, on its grid and drawn") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(4);
  const std::vector<float> targets = as_array({images[1], images[2], images[3]});
  const Simplex simplex{&images[0], {&images[1], &images[2], &images[3]}, 0};
  blindspot_error error = no_error();
  blindspot_hull_metrics metrics = no_metrics();
  REQUIRE(blindspot_simplex(model.get(), images[0].values.data(), targets.data(), 3, 0, 0, 0, &metrics, &error) ==
          BLINDSPOT_DONE);
  const SimplexHull grid = simplex_hulls(expected, {&simplex, 1}, {}).front();
  REQUIRE_FALSE(grid.sampled);
  check_same(metrics, grid);

  // Fewer points than the grid's 286: they are drawn, and the seed tells which.
  std::array<double, 2> means{};
  for (const std::uint64_t seed : {std::uint64_t{5}, std::uint64_t{6}}) {
    CAPTURE(seed);
    SimplexOptions options;
    options.seed = seed;
    options.samples = options.point_budget = 40;
    const SimplexHull drawn = simplex_hulls(expected, {&simplex, 1}, options).front();
    REQUIRE(drawn.sampled);
    REQUIRE(drawn.points.size() == 40);
    REQUIRE(blindspot_simplex(model.get(), images[0].values.data(), targets.data(), 3, 0, 40, seed, &metrics, &error) ==
            BLINDSPOT_DONE);
    check_same(metrics, drawn);
    means.at(seed - 5) = metrics.mean;
  }
  CHECK(means[0] != means[1]);
}

TEST_CASE("a simplex without targets, budget or room for its metrics is refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> image = as_array(pictures(1));
  blindspot_error error = no_error();
  blindspot_hull_metrics metrics = no_metrics();
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 0, 0, 0, 0, &metrics, &error) == BLINDSPOT_USAGE);
  CHECK(std::string(error.message).find("target_count") != std::string::npos);
  CHECK(blindspot_simplex(model.get(), image.data(), nullptr, 1, 0, 0, 0, &metrics, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, -1, 0, &metrics, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 10, 0, 0, &metrics, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, 0, 0, nullptr, &error) == BLINDSPOT_USAGE);
  metrics.size = 0;
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, 0, 0, &metrics, &error) == BLINDSPOT_USAGE);
}

TEST_CASE("the lowest value of a segment and of a triangle is that of C++") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(3);
  const std::vector<float> targets = as_array({images[1], images[2]});
  blindspot_error error = no_error();
  blindspot_lowest lowest{};
  lowest.size = sizeof(lowest);
  const auto find = [&](std::size_t count, std::int32_t resolution, double delta) {
    return blindspot_find_lowest(model.get(), images[0].values.data(), targets.data(), count, 0, resolution, delta,
                                 &lowest, &error);
  };
  for (const int resolution : {4, 32}) {
    const CheckOptions options{.resolution = resolution, .delta = 0.1};
    REQUIRE(find(1, resolution, 0.1) == BLINDSPOT_DONE);
    const Segment segment{&images[0], &images[1], 0};
    check_same(lowest, check_segments(expected, {&segment, 1}, options).front());
    REQUIRE(find(2, resolution, 0.1) == BLINDSPOT_DONE);
    const Triangle triangle{&images[0], &images[1], &images[2], 0};
    check_same(lowest, check_triangles(expected, {&triangle, 1}, options).front());
  }
  for (const std::size_t count : {std::size_t{0}, std::size_t{3}}) CHECK(find(count, 32, 0.1) == BLINDSPOT_USAGE);
  CHECK(find(1, 0, 0.1) == BLINDSPOT_USAGE);
  CHECK(find(1, 32, std::nan("")) == BLINDSPOT_USAGE);
  lowest.size = 0;
  CHECK(find(1, 32, 0.1) == BLINDSPOT_USAGE);
}

TEST_CASE("the width of a path is that of C++") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(2);
  const std::array<double, 3> radii{0.25, 1, 4};
  std::array<double, 3> q05{}, q95{};
  blindspot_error error = no_error();
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{9}}) {
    CAPTURE(seed);
    REQUIRE(blindspot_path_width(model.get(), images[0].values.data(), images[1].values.data(), 0, radii.data(), 3, 24,
                                 0.1F, seed, q05.data(), q95.data(), &error) == BLINDSPOT_DONE);
    WidthOptions options;
    options.radii = {radii.begin(), radii.end()};
    options.directions = 24;
    options.delta = 0.1F;
    options.seed = seed;
    const WidthPoint point{&images[0], &images[1], 0, nullptr, 0};
    const PathWidth width = path_widths(expected, {&point, 1}, options).front();
    REQUIRE(width.measured);
    for (std::size_t i = 0; i < radii.size(); ++i) {
      // The first of C++ has radius 0.
      CHECK(q05.at(i) == width.radii[i + 1].q05);
      CHECK(q95.at(i) == width.radii[i + 1].q95);
      CHECK(q05.at(i) < q95.at(i));
    }
  }
  // Of a class that the network does not see there is nothing to measure.
  REQUIRE(blindspot_path_width(model.get(), images[0].values.data(), images[1].values.data(), 1, radii.data(), 3, 24,
                               0.5F, 0, q05.data(), q95.data(), &error) == BLINDSPOT_DONE);
  for (std::size_t i = 0; i < radii.size(); ++i) {
    CHECK(std::isnan(q05.at(i)));
    CHECK(std::isnan(q95.at(i)));
  }
}

TEST_CASE("a width that cannot be is refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> image = as_array(pictures(1));
  double radius = 1, q05 = 0, q95 = 0;
  blindspot_error error = no_error();
  const auto width = [&](const double* radii, std::int64_t directions, float delta, double* low, double* high) {
    return blindspot_path_width(model.get(), image.data(), image.data(), 0, radii, 1, directions, delta, 0, low, high,
                                &error);
  };
  CHECK(width(nullptr, 8, 0.2F, &q05, &q95) == BLINDSPOT_USAGE);
  CHECK(width(&radius, 8, 0.2F, nullptr, &q95) == BLINDSPOT_USAGE);
  CHECK(width(&radius, 8, 0.2F, &q05, nullptr) == BLINDSPOT_USAGE);
  CHECK(width(&radius, 0, 0.2F, &q05, &q95) == BLINDSPOT_USAGE);
  CHECK(width(&radius, 8, 1.5F, &q05, &q95) == BLINDSPOT_USAGE);
  radius = -1;
  CHECK(width(&radius, 8, 0.2F, &q05, &q95) == BLINDSPOT_USAGE);
}

TEST_CASE("where there is no room for the result no work is done") {
  bool is_opened = false;
  blindspot_model_options options{};
  options.size = sizeof(options);
  options.device = "cpu";
  options.context = &is_opened;
  options.cancelled = [](void* context) { return static_cast<int>(*static_cast<bool*>(context)); };  // any work stops
  blindspot_error error = no_error();
  blindspot_model* opened = nullptr;
  REQUIRE(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_DONE);
  const ModelHandle model(opened, &blindspot_model_close);
  is_opened = true;
  const std::vector<float> image = as_array(pictures(1));
  blindspot_hull_metrics metrics{};  // without a size
  for (blindspot_hull_metrics* const wrong : {static_cast<blindspot_hull_metrics*>(nullptr), &metrics}) {
    CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, 0, 0, wrong, &error) == BLINDSPOT_USAGE);
    CHECK(std::string(error.message).find("metrics") != std::string::npos);
  }
  metrics.size = sizeof(metrics);
  CHECK(blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, 0, 0, &metrics, &error) == BLINDSPOT_STOPPED);
}
