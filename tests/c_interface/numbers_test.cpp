// The C interface gives the C++ interface's numbers, bit for bit: description, logits, gradients, hulls, distances,
// pictures; from a file's name and from memory. Uses the public headers.
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "blindspot/distances.h"
#include "blindspot/hull.h"
#include "blindspot/model.h"
#include "blindspot/weights.h"
#include "tests/c_interface/opened.h"
#include "tests/model/small_folder.h"
#include "tests/temporary_folder.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

namespace {

std::vector<const Image*> pointers_to(const std::vector<Image>& images) {
  std::vector<const Image*> pointers;
  pointers.reserve(images.size());
  for (const Image& image : images) pointers.push_back(&image);
  return pointers;
}

}  // namespace

TEST_CASE("a model is described as in C++") {
  const ModelHandle model = open_model("demo-vit");
  const Model expected = open_in_cpp("demo-vit");
  blindspot_error error = no_error();
  blindspot_model_information information{};
  information.size = sizeof(information);
  REQUIRE(blindspot_model_describe(model.get(), &information, &error) == BLINDSPOT_DONE);
  CHECK(information.architecture == expected.information().architecture);
  CHECK(information.weights_sha256 == expected.information().weights_sha256);
  CHECK(information.class_count == 10);
  CHECK(information.input_size == 32);
  CHECK(std::string(information.device) == "cpu");
  CHECK(std::string(information.precision) == "fp32");
  CHECK(information.parameter_count == expected.information().parameter_count);
  CHECK(std::string(blindspot_class_name(model.get(), 3)) == "disc");
  CHECK(blindspot_class_name(model.get(), 10) == nullptr);
  CHECK(blindspot_class_name(model.get(), -1) == nullptr);
}

TEST_CASE("heads that nothing tells are assumed, and said to be") {
  const tests::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "model.safetensors";
  blindspot_error error = no_error();
  using Told = std::pair<std::map<std::string, std::string>, std::int64_t>;
  for (const Told& told : {Told{{}, 192 / 64}, Told{{{"heads", "6"}}, 0}}) {
    CAPTURE(told.second);
    tests::write_transformer(file, 192, told.first);
    const ModelHandle model = open_model(file.c_str());
    auto information = sized<blindspot_model_information>();
    REQUIRE(blindspot_model_describe(model.get(), &information, &error) == BLINDSPOT_DONE);
    CHECK(information.assumed_heads == told.second);
    CHECK(information.assumed_heads == open_in_cpp(file.c_str()).information().assumed_heads);
  }
}

// ResNet-18's 11,689,512 of torchvision: weights, biases and the scales and shifts of batch norm, no running
// statistics.
TEST_CASE("parameters are counted as they are trained") {
  using Counted = std::pair<const char*, std::int64_t>;
  for (const Counted& counted : {Counted{"rule:resnet18", 11'689'512}, Counted{"rule:cifar_resnet20", 269'722}}) {
    CAPTURE(counted.first);
    const ModelHandle model = open_model(counted.first);
    blindspot_error error = no_error();
    blindspot_model_information information{};
    information.size = sizeof(information);
    REQUIRE(blindspot_model_describe(model.get(), &information, &error) == BLINDSPOT_DONE);
    CHECK(information.parameter_count == counted.second);
  }
}

TEST_CASE("a model from the rule is the one of C++ where no seed is asked for, and another with another seed") {
  blindspot_error error = no_error();
  const auto weights_of = [&error](const blindspot_model_options* options) {
    blindspot_model* opened = nullptr;
    REQUIRE(blindspot_model_open("rule:cifar_resnet8", options, &opened, &error) == BLINDSPOT_DONE);
    const ModelHandle model(opened, &blindspot_model_close);
    blindspot_model_information information{};
    information.size = sizeof(information);
    REQUIRE(blindspot_model_describe(model.get(), &information, &error) == BLINDSPOT_DONE);
    return std::string(information.weights_sha256);
  };
  blindspot_model_options options{};
  options.size = sizeof(options);
  const std::string expected = open_in_cpp("rule:cifar_resnet8").information().weights_sha256;
  CHECK(weights_of(nullptr) == expected);
  CHECK(weights_of(&options) == expected);
  options.size = offsetof(blindspot_model_options, rule_seed);  // a program that knows of no seed
  CHECK(weights_of(&options) == expected);
  options.size = sizeof(options);
  options.rule_seed = 1;
  CHECK(weights_of(&options) == expected);
  ModelOptions second;
  second.rule_seed = options.rule_seed = 2;
  CHECK(weights_of(&options) == Model::open("rule:cifar_resnet8", second).information().weights_sha256);
  CHECK(weights_of(&options) != expected);
}

TEST_CASE("a picture is the same from a file, from memory and in C++") {
  // Larger than the network's input and not square, so that it is resized and cropped.
  Picture picture{70, 45, {}};
  for (int i = 0; i < 70 * 45 * 3; ++i) picture.rgb.push_back(static_cast<std::uint8_t>((i * 37 + i / 210 * 11) % 251));
  const tests::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "picture.png";
  write_png(file, picture);
  const std::vector<std::uint8_t> encoded = encode_png(picture);
  const ModelHandle model = open_model("demo-resnet");
  const Image expected = to_image(preprocess(picture, open_in_cpp("demo-resnet").information().preprocessing));
  REQUIRE(expected.values.size() == 3 * 32 * 32);
  blindspot_error error = no_error();
  std::vector<float> loaded(expected.values.size()), decoded(expected.values.size());
  REQUIRE(blindspot_load_image(model.get(), file.c_str(), loaded.data(), &error) == BLINDSPOT_DONE);
  REQUIRE(blindspot_decode_image(model.get(), encoded.data(), encoded.size(), decoded.data(), &error) ==
          BLINDSPOT_DONE);
  CHECK(loaded == expected.values);
  CHECK(decoded == expected.values);
  // Cut off, it is refused.
  CHECK(blindspot_decode_image(model.get(), encoded.data(), encoded.size() / 2, decoded.data(), &error) ==
        BLINDSPOT_INPUT);
  CHECK(blindspot_decode_image(model.get(), encoded.data(), 0, decoded.data(), &error) == BLINDSPOT_INPUT);
  CHECK(blindspot_decode_image(model.get(), nullptr, 0, decoded.data(), &error) == BLINDSPOT_USAGE);
}

TEST_CASE("logits, probabilities and gradients are those of C++") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(3);
  const std::vector<float> array = as_array(images);
  blindspot_error error = no_error();
  std::vector<float> logits(30);
  std::vector<double> probabilities(30);
  REQUIRE(blindspot_classify(model.get(), array.data(), 3, logits.data(), probabilities.data(), &error) ==
          BLINDSPOT_DONE);
  const std::vector<std::vector<float>> rows = expected.logits(pointers_to(images));
  const std::array<std::int32_t, 3> classes{3, 0, 9};
  std::vector<float> gradients(array.size());
  std::vector<double> cross_entropies(3);
  REQUIRE(blindspot_gradients(model.get(), array.data(), classes.data(), 3, gradients.data(), nullptr,
                              cross_entropies.data(), &error) == BLINDSPOT_DONE);
  const auto expected_gradients = expected.gradients(pointers_to(images), {3, 0, 9});
  for (std::size_t i = 0; i < 3; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < 10; ++k) {
      CHECK(logits[10 * i + k] == rows[i][k]);
      sum += probabilities[10 * i + k];
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-12));
    CHECK(cross_entropies[i] == expected_gradients[i].cross_entropy);
    const std::vector<float>& values = expected_gradients[i].gradient.values;
    CHECK(std::equal(values.begin(), values.end(), gradients.begin() + static_cast<std::ptrdiff_t>(i * values.size())));
  }
}

TEST_CASE("a path and a triangle are those of C++") {
  const ModelHandle model = open_model("demo-resnet");
  Model expected = open_in_cpp("demo-resnet");
  const std::vector<Image> images = pictures(3);
  blindspot_error error = no_error();
  std::array<float, 21> path{};
  REQUIRE(blindspot_straight_path(model.get(), images[0].values.data(), images[1].values.data(), 0, 20, path.data(),
                                  &error) == BLINDSPOT_DONE);
  const Segment segment{&images[0], &images[1], 0};
  const auto points = straight_paths(expected, {&segment, 1}).front().points;
  for (std::size_t i = 0; i < path.size(); ++i) CHECK(path[i] == points[i].probability);

  REQUIRE(blindspot_triangle_points(10, BLINDSPOT_STANDARD) == 66);
  REQUIRE(blindspot_triangle_points(10, BLINDSPOT_REFERENCE) == 64);
  CHECK(blindspot_triangle_points(0, BLINDSPOT_STANDARD) == 0);
  std::array<float, 66> probabilities{};
  std::array<double, 132> t{};
  auto metrics = sized<blindspot_hull_metrics>();
  metrics.sampled = 7;  // what stood there before goes
  REQUIRE(blindspot_triangle(model.get(), images[0].values.data(), images[1].values.data(), images[2].values.data(), 0,
                             10, BLINDSPOT_STANDARD, t.data(), probabilities.data(), &metrics,
                             &error) == BLINDSPOT_DONE);
  const Triangle triangle{&images[0], &images[1], &images[2], 0};
  const TriangleHull hull = triangle_hulls(expected, {&triangle, 1}, WalkMode::standard).front();
  for (std::size_t i = 0; i < 66; ++i) {
    CHECK(probabilities[i] == hull.points[i].probability);
    CHECK(t[2 * i] == hull.points[i].t1);
    CHECK(t[2 * i + 1] == hull.points[i].t2);
  }
  CHECK(metrics.mean == hull.metrics.mean);
  CHECK(metrics.edge_minimum == hull.metrics.edge_minimum);
  CHECK(metrics.fractions[2] == hull.metrics.fractions[2]);
  CHECK(metrics.points == 66);
  CHECK(metrics.sampled == 0);
  for (const double bound : metrics.mean_interval) CHECK(std::isnan(bound));
  for (const auto& interval : metrics.fraction_intervals) {
    for (const double bound : interval) CHECK(std::isnan(bound));
  }
  REQUIRE(blindspot_triangle(model.get(), images[0].values.data(), images[1].values.data(), images[2].values.data(), 0,
                             10, BLINDSPOT_REFERENCE, nullptr, probabilities.data(), &metrics,
                             &error) == BLINDSPOT_DONE);
  CHECK(metrics.points == 64);
}

TEST_CASE("distances are those of C++") {
  const std::vector<Image> images = pictures(2);
  blindspot_error error = no_error();
  blindspot_distance_measure* measure = nullptr;
  REQUIRE(blindspot_distance_open("cpu", 1, nullptr, &measure, &error) == BLINDSPOT_DONE);
  blindspot_distances distances{};
  distances.size = sizeof(distances);
  CHECK(blindspot_distance_between(measure, images[0].values.data(), images[1].values.data(), 32, 32, &distances,
                                   &error) == BLINDSPOT_DONE);
  CHECK(blindspot_distance_between(measure, images[0].values.data(), images[1].values.data(), 0, 32, &distances,
                                   &error) == BLINDSPOT_USAGE);
  blindspot_distance_close(measure);
  CHECK(distances.rmse == rmse(images[0], images[1]));
  CHECK(distances.linf == linf(images[0], images[1]));
  CHECK(distances.ssim > 0);
  CHECK(distances.lpips != distances.lpips);
}

TEST_CASE("a model opened from memory is the one of the file") {
  const tests::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "rule.safetensors";
  write_random_weights("cifar_resnet20", 1, file);
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  blindspot_error error = no_error();
  blindspot_model* opened = nullptr;
  REQUIRE(blindspot_model_open_memory("from memory", bytes.data(), bytes.size(), nullptr, &opened, &error) ==
          BLINDSPOT_DONE);
  const ModelHandle model(opened, &blindspot_model_close);
  const ModelHandle from_file = open_model(file.c_str());
  std::array<blindspot_model_information, 2> information{};
  for (blindspot_model_information& one : information) one.size = sizeof(one);
  REQUIRE(blindspot_model_describe(model.get(), &information[0], &error) == BLINDSPOT_DONE);
  REQUIRE(blindspot_model_describe(from_file.get(), &information[1], &error) == BLINDSPOT_DONE);
  CHECK(std::string(information[0].sha256) == information[1].sha256);
  CHECK(std::string(information[0].name) == "from memory");

  opened = nullptr;
  CHECK(blindspot_model_open_memory("cut", bytes.data(), bytes.size() / 2, nullptr, &opened, &error) ==
        BLINDSPOT_INPUT);
  CHECK(opened == nullptr);
  CHECK(std::string(error.message).find("cut") != std::string::npos);
}
