// Triangles, straight paths and path width against what PyTorch computes in float64 (../shared/goldens/README.md,
// section 7). Uses measures_fixture.h.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/levelset/hull.h"
#include "engine/levelset/width.h"
#include "measures_fixture.h"

namespace blindspot::tests {
namespace {

// float32 is off by 4e-6 in p, 3e-6 in the metrics, 2e-6 in the width; a few times that for another order of sums.
constexpr double p_tolerance = 1e-5;
constexpr double width_tolerance = 5e-6;

struct HullCase {
  const char* golden;
  const char* walks;
  const char* weights;
  std::int64_t batch;
};

constexpr HullCase resnet = {"hull_cifar_resnet20", "walks_cifar_resnet20", "cifar10-resnet20-12fca82f.th", 7};
constexpr HullCase transformer = {"hull_cifar_vit", "walks_cifar_vit", "cifar10-vit.safetensors", 4};

/// Calls body(hull, walks, cifar, network, device), or not where the material is absent.
template <typename Body>
void with_material(const HullCase& what, const Body& body) {
  const auto hull = shared_material(std::string("goldens/") + what.golden + ".safetensors");
  const auto walks = shared_material(std::string("goldens/") + what.walks + ".safetensors");
  const auto cifar = shared_material("goldens/cifar10_images.safetensors");
  const auto weights = shared_material(std::string("data/weights/") + what.weights);
  if (!hull || !walks || !cifar || !weights) return;
  const auto device = test_device();
  const auto network = trained_network(*weights, *device, what.batch);
  body(GoldenFile(*hull), GoldenFile(*walks), GoldenFile(*cifar), *network, *device);
}

struct Triples {
  std::vector<Image> images;  // source, first, second of each
  std::vector<Triangle> triangles;
  std::vector<Segment> segments;
};

Triples triples_of(const GoldenFile& hull, const GoldenFile& walks, const GoldenFile& cifar) {
  Triples set;
  const std::vector<double> bytes = cifar.flat("images");
  const nlohmann::json triples = nlohmann::json::parse(hull.metadata("triples"));
  for (const auto& triple : triples) {
    const std::vector<float> finals = walks.floats(triple.at("preset").get<std::string>() + ".f64.final");
    set.images.push_back(cifar_image(bytes, triple.at("source").get<std::size_t>()));
    set.images.push_back(image_row(finals, triple.at("pair1").get<std::size_t>()));
    set.images.push_back(image_row(finals, triple.at("pair2").get<std::size_t>()));
  }
  for (std::size_t i = 0; i < triples.size(); ++i) {
    const Image* of = &set.images[3 * i];
    const auto source_class = triples[i].at("source_class").get<std::int32_t>();
    set.triangles.push_back({of, of + 1, of + 2, source_class});
    set.segments.push_back({of, of + 1, source_class});
  }
  return set;
}

std::vector<double> numbers_of(const HullMetrics& metrics) {
  std::vector<double> numbers = {metrics.p_source, metrics.mean};
  numbers.insert(numbers.end(), metrics.fractions.begin(), metrics.fractions.end());
  numbers.insert(numbers.end(), {metrics.edge_mean, metrics.edge_minimum});
  return numbers;
}

double check_triangle(const GoldenFile& golden, const std::string& name, const TriangleHull& hull) {
  CAPTURE(name);
  const std::vector<double> points = golden.flat(name + ".points");
  const std::vector<double> probability = golden.flat(name + ".probability");
  const std::vector<double> metrics = golden.flat(name + ".metrics");
  REQUIRE(hull.points.size() == probability.size());
  double worst = 0;
  for (std::size_t i = 0; i < hull.points.size(); ++i) {
    CHECK(hull.points[i].t1 == points[2 * i]);
    CHECK(hull.points[i].t2 == points[2 * i + 1]);
    worst = std::max(worst, std::abs(static_cast<double>(hull.points[i].probability) - probability[i]));
  }
  CHECK(worst < p_tolerance);
  const std::vector<double> numbers = numbers_of(hull.metrics);
  REQUIRE(numbers.size() == metrics.size());
  // A fraction may move by one point where a probability meets its threshold.
  const double one_point = 1.01 / static_cast<double>(hull.points.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(numbers[i] - metrics[i]) < (i >= 2 && i < 6 ? one_point : p_tolerance));
  }
  return worst;
}

void check_hulls(const HullCase& what) {
  with_material(what, [](const GoldenFile& hull, const GoldenFile& walks, const GoldenFile& cifar, Network& network,
                         Device& device) {
    const Triples set = triples_of(hull, walks, cifar);
    double worst = 0;
    for (const auto& [mode, word] : {std::pair{WalkMode::standard, "default"}, {WalkMode::reference, "reference"}}) {
      if (device_is_emulated() && mode == WalkMode::reference) continue;
      const std::size_t count = device_is_emulated() ? 1 : set.triangles.size();
      const auto hulls = levelset::triangle_hulls(network, device, std::span(set.triangles).first(count), mode, 10, {});
      for (std::size_t i = 0; i < count; ++i) {
        worst = std::max(worst, check_triangle(hull, fmt::format("triangle.{}.{}", i, word), hulls[i]));
      }
    }
    const auto paths = levelset::straight_paths(network, device, set.segments, 20, {});
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const std::vector<double> probability = hull.flat(fmt::format("straight.{}.probability", i));
      REQUIRE(paths[i].points.size() == probability.size());
      for (std::size_t k = 0; k < probability.size(); ++k) {
        worst = std::max(worst, std::abs(static_cast<double>(paths[i].points[k].probability) - probability[k]));
      }
      CHECK(std::abs(paths[i].minimum - *std::min_element(probability.begin(), probability.end())) < p_tolerance);
    }
    MESSAGE("hulls and straight paths within ", worst);
    CHECK(worst < p_tolerance);
  });
}

void check_widths(const HullCase& what) {
  with_material(
      what, [](const GoldenFile& hull, const GoldenFile&, const GoldenFile&, Network& network, Device& device) {
        const nlohmann::json records = nlohmann::json::parse(hull.metadata("records"));
        const std::size_t count = device_is_emulated() ? 1 : records.size();
        std::vector<Image> images;
        for (std::size_t i = 0; i < count; ++i) {
          images.push_back(image_row(hull.floats(fmt::format("width.{}.image", i)), 0));
          images.push_back(image_row(hull.floats(fmt::format("width.{}.target", i)), 0));
        }
        std::vector<WidthPoint> points;
        for (std::size_t i = 0; i < count; ++i) {
          points.push_back({&images[2 * i], &images[2 * i + 1], records[i].at("source_class").get<std::int32_t>()});
        }
        const std::vector<float> directions = hull.floats("directions");
        WidthOptions options;
        options.given_directions = &directions;
        const auto widths = levelset::path_widths(network, device, points, options, {});
        double worst = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const std::vector<double> quantiles = hull.flat(fmt::format("width.{}.quantiles", i));
          REQUIRE(widths[i].measured);
          REQUIRE(widths[i].radii.size() == 5);
          for (std::size_t r = 0; r < 5; ++r) {
            CHECK(widths[i].radii[r].radius == 0.5 * static_cast<double>(r));
            worst = std::max({worst, std::abs(widths[i].radii[r].q05 - quantiles[2 * r]),
                              std::abs(widths[i].radii[r].q95 - quantiles[2 * r + 1])});
          }
        }
        MESSAGE("quantiles of ", count, " records within ", worst);
        CHECK(worst < width_tolerance);
      });
}

TEST_CASE("triangles and straight paths of ResNet-20 are those of float64") {
  check_hulls(resnet);
}
TEST_CASE("the triangle and the straight path of the small ViT are those of float64") {
  check_hulls(transformer);
}
TEST_CASE("path width of ResNet-20 is that of float64") {
  check_widths(resnet);
}
TEST_CASE("path width of the small ViT is that of float64") {
  check_widths(transformer);
}

}  // namespace
}  // namespace blindspot::tests
