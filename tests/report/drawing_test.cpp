// Figures: the triangle's grid and map, colours, histograms, and that SVG and PNG come from one drawing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "tools/report/colours.h"
#include "tools/report/figure.h"
#include "tools/report/image_grid.h"
#include "tools/report/picture_table.h"
#include "tools/report/plots.h"
#include "tools/report/triangle_plot.h"

namespace blindspot::tools::report {
namespace {

Picture plain_picture(int side, std::uint8_t value) {
  return {side, side,
          std::vector<std::uint8_t>(3 * static_cast<std::size_t>(side) * static_cast<std::size_t>(side), value)};
}

Rgb pixel(const Picture& picture, double x, double y) {
  const auto at =
      3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(picture.width) + static_cast<std::size_t>(x));
  return {picture.rgb[at], picture.rgb[at + 1], picture.rgb[at + 2]};
}

bool near(const Rgb& a, const Rgb& b, int most) {
  return std::abs(a[0] - b[0]) <= most && std::abs(a[1] - b[1]) <= most && std::abs(a[2] - b[2]) <= most;
}

/// A plane over the triangle: 1 at the source, 0.5 at the first and 0 at the second corner.
Triangle plane(int k) {
  Triangle triangle;
  triangle.source_label = "disc";
  for (int i = 0; i <= k; ++i) {
    for (int j = 0; i + j <= k; ++j) {
      const double t1 = static_cast<double>(i) / k, t2 = static_cast<double>(j) / k;
      triangle.points.push_back({t1, t2, 1 - 0.5 * t1 - t2});
    }
  }
  triangle.p_source = 1;
  return triangle;
}

TEST_CASE("the grid of a triangle is found from its points, missing ones stay missing") {
  Triangle triangle = plane(10);
  CHECK(TriangleGrid(triangle.points).divisions() == 10);
  CHECK(TriangleGrid(triangle.points).at(3, 4) == doctest::Approx(0.45));
  std::erase_if(triangle.points,
                [](const HullPoint& point) { return std::abs(point.t1 - 0.8) < 1e-9 && point.t2 > 0.15; });
  CHECK(std::isnan(TriangleGrid(triangle.points).at(8, 2)));
  CHECK(TriangleGrid(triangle.points).at(8, 1) == doctest::Approx(0.5));
}

TEST_CASE("a triangle's sides are as long as its images are apart") {
  // Three pictures that differ in one value each: all at the same distance from one another.
  std::array<Picture, 3> corners{plain_picture(2, 0), plain_picture(2, 0), plain_picture(2, 0)};
  for (std::size_t i = 0; i < corners.size(); ++i) corners[i].rgb[i] = 90;
  const TriangleLayout equal = triangle_layout(corners);
  CHECK(equal.true_to_distance);
  const auto length = [](const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y); };
  CHECK(length(equal.corners[0], equal.corners[1]) == doctest::Approx(length(equal.corners[0], equal.corners[2])));
  corners[2].rgb[2] = 200;
  const TriangleLayout longer = triangle_layout(corners);
  CHECK(length(longer.corners[0], longer.corners[2]) / length(longer.corners[0], longer.corners[1]) ==
        doctest::Approx(std::hypot(90, 200) / std::hypot(90, 90)));
  // Equal images have no triangle of their own.
  CHECK_FALSE(triangle_layout({plain_picture(2, 7), plain_picture(2, 7), plain_picture(2, 7)}).true_to_distance);
}

TEST_CASE("the map shows the confidence's colour at its place, in SVG and in PNG") {
  const std::array<Picture, 3> corners{plain_picture(2, 0), plain_picture(2, 90), plain_picture(2, 200)};
  const Figure figure = triangle_figure(plane(10), corners, unknown, "triangle");
  const Picture drawn = rasterised(figure, 2);
  CHECK(drawn.width == std::lround(2 * figure.width));
  const TriangleLayout layout = triangle_layout(corners);
  // Between the red points, in the middle of a small triangle.
  for (const std::pair<double, double>& t :
       std::vector<std::pair<double, double>>{{0.13, 0.13}, {0.53, 0.13}, {0.13, 0.73}, {0.33, 0.33}}) {
    const double t1 = t.first, t2 = t.second;
    const double t0 = 1 - t1 - t2;
    const double x = t0 * layout.corners[0].x + t1 * layout.corners[1].x + t2 * layout.corners[2].x;
    const double y = t0 * layout.corners[0].y + t1 * layout.corners[1].y + t2 * layout.corners[2].y;
    INFO(t1, " ", t2);
    CHECK(near(pixel(drawn, 2 * x, 2 * y), confidence_colour(1 - 0.5 * t1 - t2), 12));
  }
  // Fifty bands from 0 to 1, each one shape of its colour.
  const std::string svg = standalone_svg(figure);
  for (int band = 0; band < 50; ++band) {
    CHECK(svg.find("fill=\"" + hexadecimal(confidence_colour((band + 0.5) / 50)) + "\"") != std::string::npos);
  }
}

TEST_CASE("the scale ends in viridis' ends, and NaN is grey") {
  CHECK(hexadecimal(confidence_colour(0)) == "#440154");
  CHECK(hexadecimal(confidence_colour(1)) == "#fde725");
  CHECK(hexadecimal(confidence_colour(2)) == "#fde725");
  CHECK(near(confidence_colour(0.5), {33, 145, 140}, 3));
  CHECK(hexadecimal(confidence_colour(unknown)) == "#b0b4ba");
}

TEST_CASE("histograms count what there is") {
  ReportData data;
  data.runs.resize(1);
  for (int i = 0; i < 5; ++i) {
    Pair pair;
    pair.source.probability = 0.9;
    pair.probability = 0.9 - 0.1 * i;
    pair.rmse = 0.5;
    pair.accepted = 3;
    pair.rejected = 1;
    data.pairs.push_back(pair);
  }
  const std::vector<Histogram> histograms = histograms_of(data);
  std::vector<std::string> names;
  names.reserve(histograms.size());
  for (const Histogram& histogram : histograms) names.push_back(histogram.name);
  CHECK(names == std::vector<std::string>{"confidence", "lost", "rmse", "accepted"});  // no SSIM and LPIPS: no plot
  CHECK(median_of(histograms[0].values) == doctest::Approx(0.7));
  CHECK(median_of({4, 1, 3, 2}) == doctest::Approx(2.5));
  for (const Histogram& histogram : histograms) {
    CHECK(standalone_svg(histogram_figure(histogram)).find("nan") == std::string::npos);
  }
}

TEST_CASE("each network has its own histograms, with names of files that differ") {
  ReportData data;
  for (const char* model : {"first/net", "first-net", "net"}) {
    data.runs.emplace_back().model = model;
    Pair pair;
    pair.run = data.runs.size() - 1;
    pair.probability = 0.1 * static_cast<double>(data.runs.size());
    data.pairs.push_back(pair);
  }
  const std::vector<Histogram> histograms = histograms_of(data);
  REQUIRE(histograms.size() == 3);
  CHECK(histograms[0].name == "confidence-first-net");
  CHECK(histograms[1].name == "confidence-first-net-2");
  CHECK(histograms[2].name == "confidence-net");
  CHECK(histograms[2].values == std::vector<double>{data.pairs[2].probability});
  CHECK(histogram_figure(histograms[0]).title == "Final confidence in the source's class, first/net");
}

TEST_CASE("a curve is broken where the walk had no number") {
  const auto strokes_of = [](const std::string& svg, const std::string& ink) {
    std::vector<std::size_t> lengths;  // in points
    for (std::size_t at = svg.find("<path"); at != std::string::npos; at = svg.find("<path", at + 1)) {
      const std::string path = svg.substr(at, svg.find("/>", at) - at);
      if (path.find(ink) == std::string::npos) continue;
      lengths.push_back(1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), 'L')));
    }
    return lengths;
  };
  Run run;
  run.iterations = 60;
  Pair pair;
  for (std::int64_t i = 0; i <= 6; ++i) {
    const double value = i == 2 || i == 4 ? unknown : 0.9 - 0.05 * static_cast<double>(i);
    Record record{10 * i, value, 0.1, {}};
    record.width = {{0, 0.9, 0.9}, {0.5, value, 0.9}};
    pair.records.push_back(record);
  }
  const std::string curves = standalone_svg(curve_figure(pair, run, "curves"));
  CHECK(strokes_of(curves, "s-source") == std::vector<std::size_t>{2, 2});  // the one in between is a dot
  CHECK(strokes_of(curves, "s-target") == std::vector<std::size_t>{7});
  const std::string widths = standalone_svg(width_lines_figure(pair, run, "widths"));
  CHECK(strokes_of(widths, "stroke=\"#") == std::vector<std::size_t>{7, 2, 2});
}

TEST_CASE("the image grid puts originals on the diagonal and leaves holes") {
  ReportData data;
  data.runs.resize(1);
  const auto add = [&data](const std::string& source, const std::string& target, std::size_t round = 0) {
    Pair pair;
    pair.round = round;
    pair.source.path = pair.source.label = source;
    pair.target.path = pair.target.label = target;
    data.pairs.push_back(pair);
  };
  add("a", "b");
  add("b", "a");
  add("b", "c");
  add("c", "a");
  const auto only_grid = [&data] {
    const std::vector<ImageGrid> grids = image_grids_of(data);
    REQUIRE(grids.size() == 1);
    return grids[0];
  };
  CHECK(only_grid().targets[0].path == "a");
  CHECK(only_grid().cells[0][0].original);
  CHECK(only_grid().cells[1][0].pair == std::size_t{0});  // row b, column a
  CHECK_FALSE(only_grid().cells[2][0].pair.has_value());  // a was not walked to c
  CHECK_FALSE(only_grid().has_repeats);
  add("a", "b", 1);
  CHECK(only_grid().cells[1][0].pair == std::size_t{0});  // of the first round
  CHECK(only_grid().has_repeats);
  add("a", "b");
  CHECK(image_grids_of(data).empty());  // twice in a round: no grid
}

TEST_CASE("each network has an image grid of its own, or none") {
  ReportData data;
  data.runs.resize(3);
  for (std::size_t run = 0; run < data.runs.size(); ++run) {
    data.runs[run].model = run == 1 ? "a/net" : "a-net";
    for (std::size_t source = 0; source < (run == 1 ? most_grid_side + 1 : 3); ++source) {
      Pair pair;
      pair.run = run;
      pair.source.path = std::to_string(source);
      pair.target.path = std::to_string((source + 1) % 3);
      data.pairs.push_back(pair);
    }
  }
  const std::vector<ImageGrid> grids = image_grids_of(data);
  REQUIRE(grids.size() == 2);  // the second network has too many sources
  CHECK((grids[0].run == 0 && grids[1].run == 2));
  CHECK(grids[1].cells[1][0].pair == 3 + most_grid_side + 1);
  CHECK(figure_endings(data) == std::vector<std::string>{"-a-net", "-a-net-2", "-a-net-3"});
  data.runs.resize(1);
  CHECK(figure_endings(data) == std::vector<std::string>{""});
}

TEST_CASE("pictures are kept once, small ones exactly") {
  PictureTable table;
  CHECK(table.add({}, 64) == -1);
  CHECK(table.add(plain_picture(32, 9), 64) == 0);
  CHECK(table.add(plain_picture(32, 10), 256) == 1);
  CHECK(table.add(plain_picture(32, 9), 256) == 0);
  CHECK(table.addresses()[0].starts_with("data:image/png;base64,"));
  CHECK(data_address(plain_picture(224, 9), 256).starts_with("data:image/jpeg;base64,"));
  CHECK(data_address(plain_picture(224, 9), 64).starts_with("data:image/jpeg;base64,"));
  CHECK(data_address(plain_picture(224, 9), 64).size() < data_address(plain_picture(224, 9), 256).size());
}

TEST_CASE("ticks are round and within the range") {
  CHECK(round_ticks({0, 1}, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(tick_text(0.6, {0, 1}) == "0.6");
  CHECK(tick_text(400, {0, 400}) == "400");
}

}  // namespace
}  // namespace blindspot::tools::report
