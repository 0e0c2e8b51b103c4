// A model's uses in any order: each finds the memory that it needs, and gives the same numbers as by itself. Uses the
// public headers.
#include <doctest/doctest.h>

#include <functional>

#include "blindspot/demo.h"
#include "blindspot/hull.h"
#include "blindspot/model.h"
#include "blindspot/width.h"

namespace blindspot {
namespace {

TEST_CASE("hulls, widths, checks, gradients and walks of one model follow each other in any order") {
  ModelOptions options;
  options.device = "cpu";
  options.threads = 1;
  const Model described = Model::open("demo-resnet", options);
  const Preprocessing& preprocessing = described.information().preprocessing;
  std::vector<Image> images;
  images.reserve(3);
  for (int label = 0; label < 3; ++label)
    images.push_back(to_image(preprocess(draw_picture(label, 0, 1), preprocessing)));
  const std::vector<Triangle> triangles = {{&images[0], &images[1], &images[2], 0}};
  const std::vector<Segment> segments = {{&images[0], &images[1], 0}};
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 0}};
  WidthOptions width;
  width.directions = 4;
  width.delta = 0;
  CheckOptions check;
  check.resolution = 8;
  const auto walk = [&](Model& model) {
    WalkParameters parameters;
    parameters.iterations = 2;
    float probability = -1;
    WalkOptions walking;
    walking.finished = [&](std::size_t, const WalkResult& result) { probability = result.probability; };
    model.walk({{&images[0], &images[1], 0, 1}}, parameters, walking);
    return static_cast<double>(probability);
  };
  using Use = std::function<double(Model&)>;
  const std::vector<Use> uses = {
      [&](Model& model) { return straight_paths(model, segments, 4).at(0).minimum; },
      [&](Model& model) { return model.gradients({&images[0]}, {1}).at(0).cross_entropy; },
      walk,
      [&](Model& model) { return triangle_hulls(model, triangles, WalkMode::standard, 4).at(0).metrics.mean; },
      [&](Model& model) { return path_widths(model, points, width).at(0).radii.at(1).q95; },
      [&](Model& model) { return check_triangles(model, triangles, check).at(0).probability; },
      [&](Model& model) { return static_cast<double>(model.logits({&images[2]}).at(0).at(0)); },
  };
  std::vector<double> alone;
  for (const Use& use : uses) {
    Model model = Model::open("demo-resnet", options);
    alone.push_back(use(model));
  }
  for (std::size_t first = 0; first < uses.size(); ++first) {
    CAPTURE(first);
    Model model = Model::open("demo-resnet", options);
    for (std::size_t i = 0; i < uses.size(); ++i) {
      const std::size_t number = (first + i) % uses.size();
      CAPTURE(number);
      CHECK(uses[number](model) == alone[number]);
    }
  }
}

}  // namespace
}  // namespace blindspot
