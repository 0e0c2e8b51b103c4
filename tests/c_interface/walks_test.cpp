// Walks through the C interface: those of C++, with progress, stopped by a callback, their records and images. Uses the
// public headers.
#include <algorithm>
#include <cmath>

#include "blindspot/model.h"
#include "tests/c_interface/opened.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

namespace {

using WalksHandle = std::unique_ptr<blindspot_walks, decltype(&blindspot_walks_free)>;

blindspot_walk_parameters short_walk() {
  blindspot_walk_parameters parameters{};
  parameters.size = sizeof(parameters);
  blindspot_walk_parameters_default(&parameters);
  CHECK(parameters.iterations == 400);
  parameters.iterations = 30;
  parameters.record_every = 10;
  return parameters;
}

struct Seen {
  std::int64_t iterations = 0, most = -1;
};

}  // namespace

TEST_CASE("walks are those of C++") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<Image> images = pictures(4);
  const std::vector<Image> sources{images[0], images[1]}, targets{images[2], images[3]};
  const std::vector<float> from = as_array(sources), to = as_array(targets);
  const blindspot_walk_parameters parameters = short_walk();
  Seen seen;
  blindspot_walk_options options{};
  options.size = sizeof(options);
  options.context = &seen;
  options.keep_record_images = 1;
  options.progress = [](void* context, std::int64_t done, std::int64_t all, std::int64_t, std::int64_t) {
    auto& progress = *static_cast<Seen*>(context);
    progress.iterations = all;
    progress.most = std::max(progress.most, done);
  };
  blindspot_error error = no_error();
  blindspot_walks* made = nullptr;
  REQUIRE(blindspot_traverse(model.get(), from.data(), to.data(), nullptr, nullptr, 2, &parameters, &options, &made,
                             &error) == BLINDSPOT_DONE);
  const WalksHandle walks(made, &blindspot_walks_free);
  CHECK(seen.iterations == 60);
  CHECK(seen.most > 0);

  ModelOptions opening;
  opening.device = "cpu";
  opening.threads = 1;
  Model expected = Model::open("demo-resnet", opening);
  WalkParameters walk = WalkParameters::paper();
  walk.iterations = 30;
  walk.record_every = 10;
  for (std::size_t pair = 0; pair < 2; ++pair) {
    blindspot_walk_result result{};
    result.size = sizeof(result);
    REQUIRE(blindspot_walk_get(walks.get(), pair, &result, &error) == BLINDSPOT_DONE);
    WalkResult same;
    WalkOptions on_the_way;
    on_the_way.finished = [&same](std::size_t, WalkResult&& finished) { same = std::move(finished); };
    CHECK(expected.walk({{&sources[pair], &targets[pair], result.source_class, result.target_class, 0, nullptr}}, walk,
                        on_the_way));
    CHECK(result.finished == 1);
    CHECK(result.accepted == same.accepted);
    CHECK(result.probability == same.probability);
    std::vector<float> image(images[0].values.size()), record(image.size());
    REQUIRE(blindspot_walk_image(walks.get(), pair, image.data(), &error) == BLINDSPOT_DONE);
    CHECK(image == same.final_image.values);
    REQUIRE(result.record_count == same.records.size());
    std::vector<std::int64_t> iterations(result.record_count);
    std::vector<float> probabilities(result.record_count);
    REQUIRE(blindspot_walk_records(walks.get(), pair, iterations.data(), probabilities.data(), nullptr, &error) ==
            BLINDSPOT_DONE);
    CHECK(iterations.back() == 30);
    CHECK(probabilities.back() == same.records.back().probability);
    CHECK(blindspot_walk_record_image(walks.get(), pair, 0, record.data(), &error) == BLINDSPOT_DONE);
    CHECK(blindspot_walk_record_image(walks.get(), pair, result.record_count, record.data(), &error) ==
          BLINDSPOT_USAGE);
  }
  blindspot_walk_result result{};
  result.size = sizeof(result);
  CHECK(blindspot_walk_get(walks.get(), 2, &result, &error) == BLINDSPOT_USAGE);
}

TEST_CASE("the same two images again are another walk, that of the second occurrence") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<Image> images = pictures(2);
  const std::vector<float> from = as_array({images[0], images[0]}), to = as_array({images[1], images[1]});
  const blindspot_walk_parameters parameters = short_walk();
  blindspot_error error = no_error();
  blindspot_walks* made = nullptr;
  REQUIRE(blindspot_traverse(model.get(), from.data(), to.data(), nullptr, nullptr, 2, &parameters, nullptr, &made,
                             &error) == BLINDSPOT_DONE);
  const WalksHandle walks(made, &blindspot_walks_free);
  std::vector<WalkPair> pairs(3, WalkPair{&images[0], &images[1], 0, 0, 0, nullptr});
  pairs[1].target = &images[0];
  count_occurrences(pairs);
  CHECK(pairs[1].occurrence == 0);
  CHECK(pairs[2].occurrence == 1);
  std::vector<float> first(images[0].values.size()), second(first.size());
  REQUIRE(blindspot_walk_image(walks.get(), 0, first.data(), &error) == BLINDSPOT_DONE);
  REQUIRE(blindspot_walk_image(walks.get(), 1, second.data(), &error) == BLINDSPOT_DONE);
  CHECK(first != second);
}

namespace {

/// The first walk is there and has not ended.
void check_unfinished(const WalksHandle& walks) {
  REQUIRE(walks != nullptr);
  blindspot_walk_result result{};
  result.size = sizeof(result);
  blindspot_error error = no_error();
  REQUIRE(blindspot_walk_get(walks.get(), 0, &result, &error) == BLINDSPOT_DONE);
  CHECK(result.finished == 0);
}

}  // namespace

TEST_CASE("a callback stops the walks") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> images = as_array(pictures(2));
  const std::size_t each = images.size() / 2;
  int asked = 0;
  blindspot_walk_options options{};
  options.size = sizeof(options);
  options.context = &asked;
  options.cancelled = [](void* context) { return static_cast<int>(++*static_cast<int*>(context) > 3); };
  blindspot_error error = no_error();
  blindspot_walks* made = nullptr;
  CHECK(blindspot_traverse(model.get(), images.data(), images.data() + each, nullptr, nullptr, 1, nullptr, &options,
                           &made, &error) == BLINDSPOT_STOPPED);
  const WalksHandle walks(made, &blindspot_walks_free);
  check_unfinished(walks);
  std::vector<float> image(each);
  CHECK(blindspot_walk_image(walks.get(), 0, image.data(), &error) == BLINDSPOT_USAGE);
}

TEST_CASE("the model's own callback stops the walks too, wherever they are") {
  int left = 1 << 30;
  blindspot_model_options opening{};
  opening.size = sizeof(opening);
  opening.device = "cpu";
  opening.threads = 1;
  opening.context = &left;
  opening.cancelled = [](void* context) { return static_cast<int>(--*static_cast<int*>(context) < 0); };
  blindspot_error error = no_error();
  blindspot_model* opened = nullptr;
  REQUIRE(blindspot_model_open("demo-resnet", &opening, &opened, &error) == BLINDSPOT_DONE);
  const ModelHandle model(opened, &blindspot_model_close);
  const std::vector<float> images = as_array(pictures(2));
  const float* const target = images.data() + images.size() / 2;
  for (const int questions : {0, 1, 2, 3, 5}) {
    CAPTURE(questions);
    left = questions;
    blindspot_walks* made = nullptr;
    CHECK(blindspot_traverse(model.get(), images.data(), target, nullptr, nullptr, 1, nullptr, nullptr, &made,
                             &error) == BLINDSPOT_STOPPED);
    check_unfinished(WalksHandle(made, &blindspot_walks_free));
  }
}

TEST_CASE("noise out of range is refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> images = as_array(pictures(1));
  for (const float wrong : {1.0F, -0.25F, std::nanf("")}) {
    std::vector<float> noise(images.size(), 0.5F);
    noise.back() = wrong;
    blindspot_walk_options options{};
    options.size = sizeof(options);
    options.noise = noise.data();
    const blindspot_walk_parameters parameters = short_walk();
    blindspot_error error = no_error();
    blindspot_walks* walks = nullptr;
    CHECK(blindspot_traverse(model.get(), images.data(), images.data(), nullptr, nullptr, 1, &parameters, &options,
                             &walks, &error) == BLINDSPOT_USAGE);
    CHECK(walks == nullptr);
    CHECK(std::string(error.message).find("noise") != std::string::npos);
  }
}

TEST_CASE("parameters out of range are refused") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> images = as_array(pictures(2));
  blindspot_walk_parameters parameters = short_walk();
  parameters.delta = std::nanf("");
  blindspot_error error = no_error();
  blindspot_walks* walks = nullptr;
  CHECK(blindspot_traverse(model.get(), images.data(), images.data(), nullptr, nullptr, 1, &parameters, nullptr, &walks,
                           &error) == BLINDSPOT_USAGE);
  CHECK(walks == nullptr);
  parameters = short_walk();
  parameters.mode = 7;
  CHECK(blindspot_traverse(model.get(), images.data(), images.data(), nullptr, nullptr, 1, &parameters, nullptr, &walks,
                           &error) == BLINDSPOT_USAGE);
}
