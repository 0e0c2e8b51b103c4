// The simplex, the lowest value and the width of a path through the C interface: the numbers of C++, bit for bit, and
// what is refused. Uses the public headers.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include "blindspot/hull.h"
#include "blindspot/model.h"
#include "blindspot/weights.h"
#include "blindspot/width.h"
#include "tests/c_interface/opened.h"
#include "tests/temporary_folder.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

namespace {

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
    for (const double bound : metrics.mean_interval) CHECK(std::isnan(bound));
    for (const auto& interval : metrics.fraction_intervals) {
      for (const double bound : interval) CHECK(std::isnan(bound));
    }
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

TEST_CASE("a simplex is that of C++, point by point, on its grid and drawn") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(4);
  const std::vector<float> targets = as_array({images[1], images[2], images[3]});
  const Simplex simplex{&images[0], {&images[1], &images[2], &images[3]}, 0};
  blindspot_error error = no_error();
  const auto check_options = [&](const blindspot_simplex_options* options, const SimplexOptions& in_cpp,
                                 std::size_t points, bool sampled) {
    REQUIRE(blindspot_simplex_points(3, options) == points);
    std::vector<double> t(3 * points);
    std::vector<float> probabilities(points);
    auto metrics = sized<blindspot_hull_metrics>();
    REQUIRE(blindspot_simplex(model.get(), images[0].values.data(), targets.data(), 3, 0, options, t.data(),
                              probabilities.data(), &metrics, &error) == BLINDSPOT_DONE);
    const SimplexHull hull = simplex_hulls(expected, {&simplex, 1}, in_cpp).front();
    REQUIRE(hull.points.size() == points);
    REQUIRE(hull.sampled == sampled);
    check_same(metrics, hull);
    for (std::size_t i = 0; i < points; ++i) {
      CHECK(probabilities[i] == hull.points[i].probability);
      CHECK(
          std::equal(hull.points[i].t.begin(), hull.points[i].t.end(), t.begin() + static_cast<std::ptrdiff_t>(3 * i)));
    }
    return metrics;
  };
  auto options = sized<blindspot_simplex_options>();
  SimplexOptions in_cpp;
  check_options(nullptr, in_cpp, 286, false);
  check_options(&options, in_cpp, 286, false);
  options.divisions = in_cpp.divisions = 4;
  check_options(&options, in_cpp, 35, false);

  // A budget of fewer points than the grid's: they are drawn, and the seed tells which.
  options.point_budget = in_cpp.point_budget = 34;
  options.samples = in_cpp.samples = 40;
  options.seed = in_cpp.seed = 5;
  const blindspot_hull_metrics first = check_options(&options, in_cpp, 40, true);
  options.seed = in_cpp.seed = 6;
  const blindspot_hull_metrics second = check_options(&options, in_cpp, 40, true);
  CHECK(first.mean != second.mean);
  options.confidence_level = in_cpp.confidence_level = 0.5;
  const blindspot_hull_metrics narrow = check_options(&options, in_cpp, 40, true);
  CHECK(narrow.mean == second.mean);
  CHECK(narrow.mean_interval[1] < second.mean_interval[1]);

  // Nothing of it need be wanted.
  CHECK(blindspot_simplex(model.get(), images[0].values.data(), targets.data(), 3, 0, &options, nullptr, nullptr,
                          nullptr, &error) == BLINDSPOT_DONE);
}

TEST_CASE("a simplex without targets, with options that cannot be, or without room for its metrics is refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> image = as_array(pictures(1));
  blindspot_error error = no_error();
  auto metrics = sized<blindspot_hull_metrics>();
  const auto refuses = [&](const float* targets, std::size_t count, std::int32_t number_of_class,
                           const blindspot_simplex_options* options, const std::string& name) {
    CAPTURE(name);
    CHECK(blindspot_simplex(model.get(), image.data(), targets, count, number_of_class, options, nullptr, nullptr,
                            &metrics, &error) == BLINDSPOT_USAGE);
    CHECK(std::string(error.message).find(name) != std::string::npos);
  };
  refuses(image.data(), 0, 0, nullptr, "target_count");
  refuses(image.data(), SIZE_MAX, 0, nullptr, "target_count");
  refuses(nullptr, 1, 0, nullptr, "targets");
  refuses(image.data(), 1, 10, nullptr, "class");
  CHECK(blindspot_simplex_points(0, nullptr) == 0);
  CHECK(blindspot_simplex_points(SIZE_MAX, nullptr) == 0);
  const auto refuses_option = [&](auto member, auto value, const std::string& name) {
    auto options = sized<blindspot_simplex_options>();
    options.*member = value;
    refuses(image.data(), 1, 0, &options, name);
    CHECK(blindspot_simplex_points(1, &options) == 0);
  };
  refuses_option(&blindspot_simplex_options::point_budget, -1, "point_budget -1: choose");
  refuses_option(&blindspot_simplex_options::samples, 1, "samples");
  refuses_option(&blindspot_simplex_options::divisions, 10'001, "divisions");
  refuses_option(&blindspot_simplex_options::confidence_level, 1.0, "confidence_level 1: must");
  refuses_option(&blindspot_simplex_options::confidence_level, std::nan(""), "confidence_level nan");
  refuses_option(&blindspot_simplex_options::size, std::size_t{0}, "options");
  metrics.size = 0;
  refuses(image.data(), 1, 0, nullptr, "metrics");
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
  const std::vector<Image> images = pictures(3);
  const std::array<double, 3> radii{0.25, 1, 4};
  std::array<double, 3> q05{}, q95{};
  blindspot_error error = no_error();
  const auto check_options = [&](const blindspot_width_options* options, WidthOptions in_cpp, const WidthPoint& point) {
    REQUIRE(blindspot_path_width(model.get(), point.image->values.data(), point.target->values.data(),
                                 point.source_class, radii.data(), 3, options, q05.data(), q95.data(),
                                 &error) == BLINDSPOT_DONE);
    in_cpp.radii = {radii.begin(), radii.end()};
    const PathWidth width = path_widths(expected, {&point, 1}, in_cpp).front();
    REQUIRE(width.measured);
    for (std::size_t i = 0; i < radii.size(); ++i) {
      // The first of C++ has radius 0.
      CHECK(q05.at(i) == width.radii[i + 1].q05);
      CHECK(q95.at(i) == width.radii[i + 1].q95);
      CHECK(q05.at(i) < q95.at(i));
    }
    return q05;
  };
  WidthPoint point{&images[0], &images[1], 0, nullptr, 0};
  WidthOptions in_cpp;
  auto options = sized<blindspot_width_options>();
  blindspot_width_options_default(&options);
  const std::array<double, 3> by_default = check_options(nullptr, in_cpp, point);
  CHECK(check_options(&options, in_cpp, point) == by_default);

  // Each of these makes other directions.
  options.directions = in_cpp.directions = 24;
  std::vector<std::array<double, 3>> seen{by_default, check_options(&options, in_cpp, point)};
  const auto check_other = [&] {
    const std::array<double, 3> found = check_options(&options, in_cpp, point);
    CHECK(std::find(seen.begin(), seen.end(), found) == seen.end());
    seen.push_back(found);
  };
  options.seed = in_cpp.seed = 9;
  check_other();
  options.occurrence = point.occurrence = 1;
  check_other();
  options.source = images[2].values.data();
  point.source = &images[2];
  check_other();
  const std::vector<float> given = as_array({images[2], images[1]});
  options.given_directions = given.data();
  options.directions = 2;
  in_cpp.given_directions = &given;
  check_other();
  options.mode = BLINDSPOT_REFERENCE;  // the same where there is a gradient
  CHECK(check_options(&options, in_cpp, point) == seen.back());
}

TEST_CASE("a width is none where the probability is low, nor in mode reference where there is no gradient") {
  // Of a network whose last layer is zero: a tenth everywhere.
  const tests::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "flat.safetensors";
  write_random_weights("cifar_resnet8", 1, file);
  std::map<std::string, FloatTensor> tensors = read_float_tensors(file);
  std::vector<NamedFloatTensor> flat;
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with("linear.")) std::fill(tensor.values.begin(), tensor.values.end(), 0.0F);
    flat.push_back({name, tensor.shape, tensor.values});
  }
  write_float_tensors(file, {}, flat);
  const ModelHandle model = open_model(file.c_str());
  const std::vector<Image> images = pictures(2);
  const double radius = 1;
  double q05 = 0, q95 = 0;
  blindspot_error error = no_error();
  auto options = sized<blindspot_width_options>();
  blindspot_width_options_default(&options);
  const auto is_measured = [&](float delta, std::int32_t mode) {
    options.delta = delta;
    options.mode = mode;
    REQUIRE(blindspot_path_width(model.get(), images[0].values.data(), images[1].values.data(), 3, &radius, 1, &options,
                                 &q05, &q95, &error) == BLINDSPOT_DONE);
    CHECK(std::isnan(q05) == std::isnan(q95));
    return !std::isnan(q05);
  };
  CHECK_FALSE(is_measured(0.2F, BLINDSPOT_STANDARD));
  CHECK(is_measured(0.05F, BLINDSPOT_STANDARD));
  CHECK(q05 == doctest::Approx(0.1));
  CHECK_FALSE(is_measured(0.05F, BLINDSPOT_REFERENCE));
}

TEST_CASE("a width that cannot be is refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> image = as_array(pictures(1));
  double radius = 1, q05 = 0, q95 = 0;
  blindspot_error error = no_error();
  auto options = sized<blindspot_width_options>();
  blindspot_width_options_default(&options);
  const auto refuses = [&](const double* radii, double* low, double* high, const std::string& name) {
    CAPTURE(name);
    CHECK(blindspot_path_width(model.get(), image.data(), image.data(), 0, radii, 1, &options, low, high, &error) ==
          BLINDSPOT_USAGE);
    CHECK(std::string(error.message).find(name) != std::string::npos);
  };
  refuses(nullptr, &q05, &q95, "radii");
  refuses(&radius, nullptr, &q95, "q05");
  refuses(&radius, &q05, nullptr, "q95");
  for (const float* const given : {static_cast<const float*>(nullptr), image.data()}) {
    options.given_directions = given;
    for (const std::int64_t directions : {std::int64_t{0}, std::int64_t{65'537}, std::int64_t{1} << 62}) {
      options.directions = directions;
      refuses(&radius, &q05, &q95, "directions");
    }
  }
  blindspot_width_options_default(&options);
  std::vector<float> directions(static_cast<std::size_t>(options.directions) * 3 * 32 * 32, 1.0F);
  directions.back() = std::nanf("");
  options.given_directions = directions.data();
  refuses(&radius, &q05, &q95, "given_directions");
  blindspot_width_options_default(&options);
  options.delta = 1.5F;
  refuses(&radius, &q05, &q95, "delta");
  blindspot_width_options_default(&options);
  options.mode = 2;
  refuses(&radius, &q05, &q95, "mode");
  blindspot_width_options_default(&options);
  radius = -1;
  refuses(&radius, &q05, &q95, "radii");
  radius = 1;
  options.size = 0;
  refuses(&radius, &q05, &q95, "options");
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
  const auto simplex = [&] {
    return blindspot_simplex(model.get(), image.data(), image.data(), 1, 0, nullptr, nullptr, nullptr, &metrics,
                             &error);
  };
  CHECK(simplex() == BLINDSPOT_USAGE);
  CHECK(std::string(error.message).find("metrics") != std::string::npos);
  metrics.size = sizeof(metrics);
  CHECK(simplex() == BLINDSPOT_STOPPED);
}
