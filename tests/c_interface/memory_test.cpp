// No memory for one allocation, through the C interface: a status and a message that say so, or the call does without;
// no exception gets out, nothing stays allocated, and the handle works on. Uses the public headers and, for bytes of a
// weight file, weights/demo.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/c_interface/failing_allocation.h"
#include "tests/c_interface/opened.h"
#include "weights/demo/embedded.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

namespace {

/// One call, which gives back what it got.
using Call = std::function<blindspot_status(blindspot_error*)>;

/// All numbers to `count`, or so many of them that a seed chooses.
std::vector<std::int64_t> sample(std::int64_t count) {
  constexpr std::int64_t most = 120;
  std::mt19937_64 generator(1);
  std::vector<std::int64_t> numbers;
  const bool all = count <= most || std::getenv("BLINDSPOT_FAULTS_ALL") != nullptr;
  for (std::int64_t i = 1; i <= (all ? count : most); ++i) {
    numbers.push_back(all ? i : 1 + static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(count)));
  }
  return numbers;
}

std::int64_t allocations_of(const Call& call) {
  blindspot_error error = no_error();
  const FailingAllocation none(0);
  const blindspot_status status = call(&error);
  const std::int64_t count = none.count();
  REQUIRE_MESSAGE(status == BLINDSPOT_DONE, error.message);
  return count;
}

void check_refusal(const blindspot_error& error) {
  const std::string message = error.message;
  CHECK_MESSAGE(error.status == BLINDSPOT_DEVICE, message);
  CHECK_MESSAGE(message.find("memory") != std::string::npos, message);
}

void check_every_allocation(const Call& call) {
  allocations_of(call);  // what is made once for the life of the process
  const std::int64_t count = allocations_of(call);
  std::size_t refused = 0;
  for (const std::int64_t number : sample(count)) {
    CAPTURE(number);
    CAPTURE(count);
    blindspot_error error = no_error();
    blindspot_status status = BLINDSPOT_FAULT;
    const std::int64_t before = allocations_alive();
    {
      const FailingAllocation failing(number);
      status = call(&error);
    }
    CHECK(allocations_alive() == before);
    CHECK(status == error.status);
    if (status != BLINDSPOT_DONE) {
      ++refused;
      check_refusal(error);
    }
    allocations_of(call);
    CHECK(allocations_alive() == before);
  }
  CHECK(refused > 0);
  CHECK(allocations_of(call) > 0);
}

blindspot_model_options one_thread() {
  blindspot_model_options options{};
  options.size = sizeof(options);
  options.device = "cpu";
  options.threads = 1;
  return options;
}

std::string bytes_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("opening a model without memory for one allocation") {
  const blindspot_model_options options = one_thread();
  for (const char* name : {"demo-resnet", "demo-vit", "rule:cifar_resnet20"}) {
    CAPTURE(name);
    check_every_allocation([&](blindspot_error* error) {
      blindspot_model* model = nullptr;
      const blindspot_status status = blindspot_model_open(name, &options, &model, error);
      blindspot_model_close(model);
      return status;
    });
  }
  const std::span<const std::byte> file = weights::embedded_weights("demo-resnet");
  check_every_allocation([&](blindspot_error* error) {
    blindspot_model* model = nullptr;
    const blindspot_status status =
        blindspot_model_open_memory("bytes", file.data(), file.size(), &options, &model, error);
    blindspot_model_close(model);
    return status;
  });
}

TEST_CASE("pictures without memory for one allocation") {
  const ModelHandle model = open_model("demo-resnet");
  std::vector<float> image(std::size_t{3} * 32 * 32);
  check_every_allocation(
      [&](blindspot_error* error) { return blindspot_load_image(model.get(), PICTURE, image.data(), error); });
  const std::string encoded = bytes_of(PICTURE);
  REQUIRE(!encoded.empty());
  check_every_allocation([&](blindspot_error* error) {
    return blindspot_decode_image(model.get(), encoded.data(), encoded.size(), image.data(), error);
  });
}

TEST_CASE("networks without memory for one allocation") {
  const std::vector<float> images = as_array(pictures(3));
  const std::vector<std::int32_t> classes{0, 1, 2};
  for (const char* name : {"demo-resnet", "demo-vit"}) {
    CAPTURE(name);
    const ModelHandle model = open_model(name);
    std::vector<float> logits(30), gradients(images.size());
    std::vector<double> probabilities(30);
    check_every_allocation([&](blindspot_error* error) {
      return blindspot_classify(model.get(), images.data(), 3, logits.data(), probabilities.data(), error);
    });
    check_every_allocation([&](blindspot_error* error) {
      return blindspot_gradients(model.get(), images.data(), classes.data(), 3, gradients.data(), logits.data(),
                                 nullptr, error);
    });
  }
}

TEST_CASE("walks without memory for one allocation") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> sources = as_array(pictures(2)), targets = as_array(pictures(4));
  blindspot_walk_parameters parameters{};
  parameters.size = sizeof(parameters);
  blindspot_walk_parameters_default(&parameters);
  parameters.iterations = 2;
  parameters.record_every = 1;
  blindspot_walk_options options{};
  options.size = sizeof(options);
  options.keep_record_images = 1;
  std::vector<float> image(std::size_t{3} * 32 * 32);
  check_every_allocation([&](blindspot_error* error) {
    blindspot_walks* walks = nullptr;
    blindspot_status status = blindspot_traverse(model.get(), sources.data(), targets.data() + 2 * image.size(),
                                                 nullptr, nullptr, 2, &parameters, &options, &walks, error);
    blindspot_walk_result result{};
    result.size = sizeof(result);
    if (status == BLINDSPOT_DONE) status = blindspot_walk_get(walks, 1, &result, error);
    if (status == BLINDSPOT_DONE) status = blindspot_walk_image(walks, 1, image.data(), error);
    if (status == BLINDSPOT_DONE) status = blindspot_walk_record_image(walks, 1, 0, image.data(), error);
    blindspot_walks_free(walks);
    return status;
  });
}

TEST_CASE("measures without memory for one allocation") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> images = as_array(pictures(3));
  const float* const source = images.data();
  const float* const first = source + images.size() / 3;
  const float* const second = first + images.size() / 3;
  std::vector<float> probabilities(blindspot_triangle_points(4, BLINDSPOT_STANDARD));
  blindspot_hull_metrics metrics{};
  metrics.size = sizeof(metrics);
  check_every_allocation([&](blindspot_error* error) {
    return blindspot_straight_path(model.get(), source, first, 0, 4, probabilities.data(), error);
  });
  check_every_allocation([&](blindspot_error* error) {
    return blindspot_triangle(model.get(), source, first, second, 0, 4, BLINDSPOT_STANDARD, nullptr,
                              probabilities.data(), &metrics, error);
  });
  blindspot_simplex_options drawn{};
  drawn.size = sizeof(drawn);
  drawn.point_budget = drawn.samples = static_cast<std::int64_t>(probabilities.size());
  std::vector<double> t(2 * probabilities.size());
  check_every_allocation([&](blindspot_error* error) {
    return blindspot_simplex(model.get(), source, first, 2, 0, &drawn, t.data(), probabilities.data(), &metrics, error);
  });
  blindspot_lowest lowest{};
  lowest.size = sizeof(lowest);
  check_every_allocation([&](blindspot_error* error) {
    return blindspot_find_lowest(model.get(), source, first, 2, 0, 8, 0.2, &lowest, error);
  });
  const std::vector<double> radii{0.5, 1.0};
  std::vector<double> low(2), high(2);
  for (const float* const directions : {static_cast<const float*>(nullptr), source}) {
    check_every_allocation([&](blindspot_error* error) {
      blindspot_width_options options{};
      options.size = sizeof(options);
      options.directions = 3;
      options.source = second;
      options.given_directions = directions;
      return blindspot_path_width(model.get(), source, first, 0, radii.data(), radii.size(), &options, low.data(),
                                  high.data(), error);
    });
  }
  check_every_allocation([&](blindspot_error* error) {
    blindspot_distance_measure* measure = nullptr;
    blindspot_distances distances{};
    distances.size = sizeof(distances);
    blindspot_status status = blindspot_distance_open("cpu", 1, nullptr, &measure, error);
    if (status == BLINDSPOT_DONE)
      status = blindspot_distance_between(measure, source, first, 32, 32, &distances, error);
    blindspot_distance_close(measure);
    return status;
  });
}
