// Rows of the tables against the fixture of a made-up evaluation, in both conventions, and small cases by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blindspot/evaluation.h"
#include "blindspot/hull.h"

using namespace blindspot;

namespace {

const std::filesystem::path fixture =
    std::filesystem::path(BLINDSPOT_SHARED) / "fixtures" / "tables" / "evaluation.json";

TableInput input_of(const nlohmann::json& document) {
  TableInput input;
  input.model = document["model"];
  input.sources = document["sources"];
  for (const auto& round : document["distances"]) {
    for (const auto& values : round) {
      input.distances.push_back(
          {values[0].get<double>(), values[1].get<double>(), values[2].get<double>(), values[3].get<double>()});
    }
  }
  for (const auto& source : document["hulls"]) {
    input.hulls.emplace_back();
    for (const auto& pair : source["pairs"]) input.hulls.back().push_back(pair.get<std::vector<float>>());
  }
  return input;
}

// Confidences are float32 here and double there.
void check_number(const MeanDeviation& value, double mean, double deviation, double tolerance) {
  CHECK(std::abs(value.mean - mean) < tolerance);
  CHECK(std::abs(value.deviation - deviation) < tolerance);
}

void check_confidences(const TableRow& row, const nlohmann::json& expected) {
  REQUIRE(row.confidences);
  const TableRow::Confidences& all = *row.confidences;
  const std::vector<MeanDeviation> values{all.p_source,     all.mean,         all.fractions[0], all.fractions[1],
                                          all.fractions[2], all.fractions[3], all.edge_mean,    all.edge_minimum};
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    check_number(values[i], expected["mean"][i], expected["std"][i], 1e-7);
  }
}

}  // namespace

TEST_CASE("the fixture's rows in both conventions") {
  if (!std::filesystem::exists(fixture)) {
    MESSAGE("skipped: no ../shared");
    return;
  }
  const nlohmann::json document = nlohmann::json::parse(std::ifstream(fixture));
  const nlohmann::json& expected = document["expected"];
  const TableInput input = input_of(document);
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    const TableRow row = table_row(input, mode);
    CHECK(row.pairs == 25);
    const std::vector<std::optional<MeanDeviation>> distances{row.rmse, row.linf, row.ssim, row.lpips};
    for (std::size_t i = 0; i < distances.size(); ++i) {
      REQUIRE(distances[i]);
      check_number(*distances[i], expected["distances"]["mean"][i], expected["distances"]["std"][i], 1e-12);
    }
    check_confidences(row, expected[mode == WalkMode::reference ? "confidences_reference" : "confidences_default"]);
  }
}

TEST_CASE("distances that a pair lacks are not averaged over the others") {
  TableInput input;
  input.distances = {{0.1, 0.2, 0.5, std::nullopt}, {0.3, 0.4, 0.7, 0.2}};
  const TableRow row = table_row(input, WalkMode::standard);
  CHECK(row.rmse->mean == doctest::Approx(0.2));
  CHECK(row.rmse->deviation == doctest::Approx(std::sqrt(0.02)));
  CHECK(row.ssim);
  CHECK_FALSE(row.lpips);
  CHECK_FALSE(row.confidences);
}

TEST_CASE("one pair has a mean and no deviation") {
  TableInput input;
  input.distances = {{0.1, 0.2, 0.5, 0.3}};
  const TableRow row = table_row(input, WalkMode::standard);
  CHECK(row.rmse->mean == 0.1);
  CHECK(std::isnan(row.rmse->deviation));
}

TEST_CASE("the edge minimum of a source is the lowest of its triangles") {
  TableInput input;
  input.hull_divisions = 1;  // the three corners
  input.hulls = {{{0.9F, 0.8F, 0.85F}, {0.9F, 0.5F, 0.9F}}};
  const TableRow row = table_row(input, WalkMode::standard);
  CHECK(row.confidences->edge_minimum.mean == doctest::Approx(-0.4));
  CHECK(row.confidences->edge_minimum.deviation == 0);
}

TEST_CASE("a triangle of another number of points is refused") {
  TableInput input;
  input.hulls = {{std::vector<float>(65, 0.5F)}};
  CHECK_THROWS_AS(table_row(input, WalkMode::standard), Error);
}

TEST_CASE("the reference's grid lacks what double arithmetic drops") {
  CHECK(triangle_grid(10, WalkMode::standard).size() == 66);
  const auto few = triangle_grid(10, WalkMode::reference);
  CHECK(few.size() == 64);
  for (const std::array<double, 2>& point : few) {
    CHECK_FALSE((point[0] == 0.8 && point[1] == 0.2));
    CHECK_FALSE((point[0] == 0.9 && point[1] == 0.1));
  }
}
