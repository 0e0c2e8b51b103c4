// The adaptive search for the lowest confidence, on functions that are known everywhere and on a toy network. Uses
// lowest_search.h and toy networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>

#include "engine/levelset/hull.h"
#include "engine/levelset/lowest.h"
#include "engine/levelset/lowest_search.h"
#include "tests/walk/toy_networks.h"
#include "tests/walk/walk_fixture.h"

namespace blindspot::tests {
namespace {

using levelset::HullKnowledge;
using levelset::HullPlace;
using levelset::HullQuestions;
using levelset::LowestSearch;
using levelset::SearchRules;

using LogOdds = std::function<double(const HullPlace&)>;

struct Outcome {
  double source = 0, lowest = 0;
  HullPlace place{};
  int asked = 0;
  int cost = 0;  ///< a slope as much as a value
};

/// Slopes by central differences: the functions here are smooth or have their kinks elsewhere.
Outcome search(const SearchRules& rules, const LogOdds& log_odds) {
  LowestSearch searching(rules);
  Outcome outcome;
  for (HullQuestions questions = searching.next(); !questions.places.empty(); questions = searching.next()) {
    for (const HullPlace& place : questions.places) {
      constexpr double step = 1e-6;
      HullKnowledge knowledge;
      knowledge.place = place;
      knowledge.log_odds = log_odds(place);
      for (std::size_t j = 0; j < 2 && questions.slopes; ++j) {
        HullPlace after = place;
        HullPlace before = place;
        after.at(j) += step;
        before.at(j) -= step;
        if (j == 0) knowledge.slope.emplace();
        knowledge.slope->at(j) = (log_odds(after) - log_odds(before)) / (2 * step);
      }
      searching.tell(knowledge);
      ++outcome.asked;
      outcome.cost += questions.slopes ? 2 : 1;
    }
  }
  outcome.source = searching.source_probability();
  outcome.lowest = LowestSearch::probability(searching.lowest().log_odds);
  outcome.place = searching.lowest().place;
  return outcome;
}

double lowest_of_grid(const SearchRules& rules, const LogOdds& log_odds, int divisions) {
  double lowest = 1;
  for (int i = 0; i <= divisions; ++i) {
    for (int j = 0; j <= (rules.targets == 1 ? 0 : divisions - i); ++j) {
      const HullPlace place = {static_cast<double>(i) / divisions, static_cast<double>(j) / divisions};
      lowest = std::min(lowest, LowestSearch::probability(log_odds(place)));
    }
  }
  return lowest;
}

TEST_CASE("a fall between points at which the confidence is flat at 1 is found, at a third of the grid's cost") {
  // From 16 down to about 0.4 and up again, a valley that lies between the points of the first grid. p is 1 − 1e-6 and
  // flat there.
  const LogOdds valley = [](const HullPlace& t) { return 0.4 + 60 * std::abs(t[0] - 0.3701); };
  const SearchRules rules = {.targets = 1, .resolution = 128};
  const Outcome found = search(rules, valley);
  CHECK(found.lowest <= lowest_of_grid(rules, valley, 512) + 1e-3);
  CHECK(std::abs(found.place[0] - 0.3701) < 1e-3);
  CHECK(found.cost <= 129 / 3);
}

TEST_CASE("a lower valley behind a kink is seen, although no tangent tells of it") {
  // As between ResNet-20's cat and dog: a steep fall, a step up, the bottom, and a steep rise.
  const LogOdds kinks = [](const HullPlace& t) {
    constexpr std::array<HullPlace, 6> knots = {
        {{0, 10}, {0.7, -0.5}, {0.7495, -1.46}, {0.7503, -1.4585}, {0.7535, -1.4713}, {1, 1.3}}};
    std::size_t after = 1;
    while (after + 1 < knots.size() && t[0] > knots.at(after)[0]) ++after;
    const HullPlace& left = knots.at(after - 1);
    const HullPlace& right = knots.at(after);
    return left[1] + (right[1] - left[1]) * (t[0] - left[0]) / (right[0] - left[0]);
  };
  const SearchRules rules = {.targets = 1, .resolution = 128};
  const Outcome found = search(rules, kinks);
  CHECK(found.lowest <= lowest_of_grid(rules, kinks, 512) + 1e-3);
  CHECK(found.cost <= 129 / 3);
}

TEST_CASE("a segment that stays sure costs the first grid only") {
  const Outcome found = search({.targets = 1, .resolution = 256}, [](const HullPlace& t) { return 12 + t[0]; });
  CHECK(found.asked == 9);
  CHECK(found.lowest == found.source);
}

TEST_CASE("the lowest value of wavy triangles is that of a grid four times finer") {
  int cost = 0;
  int grid = 0;
  for (int number = 0; number < 12; ++number) {
    CAPTURE(number);
    const double phase = number;
    const LogOdds wavy = [phase](const HullPlace& t) {
      return 3 + 2 * std::sin(5 * t[0] + phase) + 1.5 * std::cos(6 * t[1] - 2 * phase) + 4 * t[0] * t[1];
    };
    const SearchRules rules = {.targets = 2, .resolution = 64};
    const Outcome found = search(rules, wavy);
    CHECK(found.lowest <= lowest_of_grid(rules, wavy, 256) + 1e-3);
    cost += found.cost;
    grid += static_cast<int>(simplex_grid_points(2, 64));
  }
  MESSAGE(cost, " forward passes, ", grid, " of the grids");
  CHECK(cost <= grid / 3);
}

TEST_CASE("values that are not numbers end the search") {
  const LogOdds broken = [](const HullPlace& t) { return t[0] > 0.5 ? std::nan("") : 2.0; };
  CHECK(search({.targets = 1, .resolution = 64}, broken).lowest == doctest::Approx(LowestSearch::probability(2.0)));
  CHECK(search({.targets = 2, .resolution = 16}, broken).asked > 0);
}

TEST_CASE("resolutions that are no multiple of the first grid, and none at all") {
  const LogOdds valley = [](const HullPlace& t) { return 1 + 40 * std::abs(t[0] - 0.7); };
  for (const int resolution : {1, 2, 3, 7, 9, 100, 129}) {
    CAPTURE(resolution);
    for (const int targets : {1, 2}) {
      const SearchRules rules = {.targets = targets, .resolution = resolution};
      CHECK(search(rules, valley).lowest <= lowest_of_grid(rules, valley, resolution) + 1e-3);
    }
  }
}

TEST_CASE("slopes come from the gradient: a linear fall needs no point but the first grid's") {
  const auto device = test_device();
  constexpr int side = 6;
  const ToyModel model = ToyModel::random(std::int64_t{3} * side * side, 2, 0.4, 0);
  ToyNetwork network(model, *device, 4, side, side);
  const Image one = test_image(0, side, side);
  const Image other = test_image(1, side, side);
  const auto lead = [&model](const Image& image) {
    const std::vector<double> logits = model.logits(image.values);
    return logits[0] - logits[1];
  };
  const bool falls = lead(one) > lead(other);
  const std::vector<levelset::SearchedHull> hulls = {{falls ? &one : &other, {falls ? &other : &one}, 0}};
  CheckOptions options;
  options.resolution = 64;
  options.delta = 0;
  const LowestPoint found = levelset::lowest_points(network, *device, hulls, options, 2, {}).at(0);
  CHECK(found.points == 9);
  CHECK(found.t == std::vector<double>{1});
  CHECK(found.violation);
  CHECK(std::log(found.probability / (1 - found.probability)) ==
        doctest::Approx(std::min(lead(one), lead(other))).epsilon(1e-4));
}

/// Four triangles between pictures, and a toy network whose logits are bent so that two of them have their lowest
/// confidence inside.
struct ToyTriangles {
  static constexpr int height = 6, width = 5;
  std::unique_ptr<Device> device = test_device();
  ToyModel model = ToyModel::random(std::int64_t{3} * height * width, 4, 0.3, -10);
  ToyNetwork network{model, *device, 4, height, width};
  std::vector<Image> images;
  std::vector<levelset::SearchedHull> hulls;
  std::vector<Triangle> triangles;

  ToyTriangles() {
    for (std::size_t i = 0; i < 6; ++i) images.push_back(test_image(i, height, width));
    for (std::size_t i = 0; i + 2 < images.size(); ++i) {
      const std::vector<double> logits = model.logits(images[i].values);
      const auto own = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      hulls.push_back({&images[i], {&images[i + 1], &images[i + 2]}, own});
      triangles.push_back({&images[i], &images[i + 1], &images[i + 2], own});
    }
  }

  std::vector<LowestPoint> check(std::span<const levelset::SearchedHull> some, const CheckOptions& options) {
    return levelset::lowest_points(network, *device, some, options, 2, {});
  }

  /// Of the triangle's class at the weights t of its targets, in double.
  double confidence(const Triangle& triangle, const std::vector<double>& t) const {
    std::vector<double> mixed;
    for (std::size_t v = 0; v < triangle.source->values.size(); ++v) {
      const auto source = static_cast<double>(triangle.source->values[v]);
      mixed.push_back(source + t[0] * (static_cast<double>(triangle.first->values[v]) - source) +
                      t[1] * (static_cast<double>(triangle.second->values[v]) - source));
    }
    const std::vector<double> logits = model.logits(mixed);
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - logits[static_cast<std::size_t>(triangle.source_class)]);
    return 1 / sum;
  }
};

TEST_CASE("checks of a toy network agree with fine grids, in any company") {
  ToyTriangles toy;
  CheckOptions options;
  options.start = 3;  // few points to begin with, so that only slopes tell where to look
  std::int64_t without_slope = 0;
  for (const int resolution : {32, 8}) {
    CAPTURE(resolution);
    options.resolution = resolution;
    const auto found = toy.check(toy.hulls, options);
    const auto fine =
        levelset::triangle_hulls(toy.network, *toy.device, toy.triangles, WalkMode::standard, 4 * resolution, {});
    for (std::size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      double lowest = 1;
      for (const TrianglePoint& point : fine[i].points) {
        lowest = std::min(lowest, static_cast<double>(point.probability));
      }
      CHECK(found[i].probability <= lowest + 1e-3);
      CHECK(found[i].probability == doctest::Approx(toy.confidence(toy.triangles[i], found[i].t)).epsilon(1e-5));
      CHECK(found[i].violation == (found[i].p_source - found[i].probability > options.delta));
      CHECK(found[i].p_source == doctest::Approx(fine[i].metrics.p_source).epsilon(1e-5));
      CHECK(found[i].forward_passes == static_cast<double>(found[i].points + found[i].gradients));
      CHECK(found[i].grid_passes == simplex_grid_points(2, resolution));
      without_slope += found[i].points - found[i].gradients;
      const auto alone = toy.check(std::span(toy.hulls).subspan(i, 1), options);
      CHECK(alone[0].probability == found[i].probability);
      CHECK(alone[0].points == found[i].points);
      CHECK(alone[0].gradients == found[i].gradients);
      CHECK(alone[0].t == found[i].t);
    }
  }
  CHECK(without_slope > 0);
  options.delta = 1.5;
  CHECK_THROWS_AS(toy.check(toy.hulls, options), Error);
}

}  // namespace
}  // namespace blindspot::tests
