// Errors of the C interface: a status and one line that names what is wrong, nothing thrown; and structs of callers
// that know less or more of them than this version. Uses the public headers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>

#include "tests/c_interface/opened.h"

using namespace blindspot;
using namespace blindspot::c_interface_tests;

TEST_CASE("what is wrong is told by status and message") {
  blindspot_error error = no_error();
  blindspot_model* model = nullptr;
  CHECK(blindspot_model_open("nowhere.safetensors", nullptr, &model, &error) == BLINDSPOT_INPUT);
  CHECK(model == nullptr);
  CHECK(error.status == BLINDSPOT_INPUT);
  CHECK(std::string(error.message).find("nowhere.safetensors") != std::string::npos);
  CHECK(std::strchr(error.message, '\n') == nullptr);
  CHECK(blindspot_model_open(nullptr, nullptr, &model, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_model_open("demo-resnet", nullptr, nullptr, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_model_open("nowhere.safetensors", nullptr, &model, nullptr) == BLINDSPOT_INPUT);

  blindspot_model_options options{};
  options.size = sizeof(options);
  options.device = "abacus";
  CHECK(blindspot_model_open("demo-resnet", &options, &model, &error) == BLINDSPOT_USAGE);
  CHECK(std::string(error.message).find("abacus") != std::string::npos);
  options.device = "cpu";
  options.precision = "fp16";
  CHECK(blindspot_model_open("demo-resnet", &options, &model, &error) == BLINDSPOT_USAGE);
}

TEST_CASE("arguments that cannot be right are refused, and success empties the message") {
  const ModelHandle model = open_model("demo-resnet");
  blindspot_error error = no_error();
  const std::vector<float> image = as_array(pictures(1));
  const std::int32_t no_class = 10;
  std::vector<float> gradient(image.size()), logits(10);
  CHECK(blindspot_gradients(model.get(), image.data(), &no_class, 1, gradient.data(), nullptr, nullptr, &error) ==
        BLINDSPOT_USAGE);
  CHECK(error.message[0] != '\0');
  CHECK(blindspot_classify(nullptr, image.data(), 1, logits.data(), nullptr, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_classify(model.get(), nullptr, 1, logits.data(), nullptr, &error) == BLINDSPOT_USAGE);
  CHECK(blindspot_classify(model.get(), nullptr, 0, nullptr, nullptr, &error) == BLINDSPOT_DONE);
  CHECK(error.message[0] == '\0');
  CHECK(blindspot_decode_image(model.get(), "no picture", 10, gradient.data(), &error) == BLINDSPOT_INPUT);
  CHECK(blindspot_load_image(model.get(), "nowhere.png", gradient.data(), &error) == BLINDSPOT_INPUT);
  CHECK(blindspot_straight_path(model.get(), image.data(), image.data(), 0, 0, logits.data(), &error) ==
        BLINDSPOT_USAGE);
}

TEST_CASE("a struct may be older or newer than the library") {
  blindspot_error error = no_error();
  blindspot_model* opened = nullptr;
  blindspot_model_options options{};
  options.precision = "nonsense";
  options.device = "cpu";
  options.size = offsetof(blindspot_model_options, precision);  // as if the library alone knew of precision
  CHECK(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_DONE);
  const ModelHandle model(opened, &blindspot_model_close);
  options.size = 0;
  CHECK(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_USAGE);

  struct Newer {
    blindspot_model_options known;
    std::int64_t unknown;
  } newer{};
  newer.known.size = sizeof(newer);
  newer.known.device = "cpu";
  CHECK(blindspot_model_open("demo-resnet", &newer.known, &opened, &error) == BLINDSPOT_DONE);
  blindspot_model_close(opened);
  newer.unknown = 1;
  CHECK(blindspot_model_open("demo-resnet", &newer.known, &opened, &error) == BLINDSPOT_USAGE);

  blindspot_model_information information{};
  information.size = offsetof(blindspot_model_information, sha256);
  information.sha256 = "untouched";
  REQUIRE(blindspot_model_describe(model.get(), &information, &error) == BLINDSPOT_DONE);
  CHECK(std::string(information.sha256) == "untouched");
  CHECK(information.size == offsetof(blindspot_model_information, sha256));
}

TEST_CASE("a message is cut to the caller's room") {
  blindspot_error error = no_error();
  error.size = offsetof(blindspot_error, message) + 8;
  std::memset(error.message, 'x', sizeof(error.message));
  blindspot_model* model = nullptr;
  CHECK(blindspot_model_open("nowhere.safetensors", nullptr, &model, &error) == BLINDSPOT_INPUT);
  CHECK(error.message[7] == '\0');
  CHECK(error.message[8] == 'x');
}

TEST_CASE("a message is one line whatever the caller's texts hold") {
  const ModelHandle model = open_model("demo-resnet");
  const std::vector<float> pixels = as_array(pictures(1));
  const char* const hostile = "a\nb\x1b[31m\xc2\x9b\x7f";
  blindspot_model* opened = nullptr;
  std::vector<std::string> messages;
  const auto refused = [&messages](const auto& call) {
    blindspot_error error = no_error();
    CHECK(call(&error) != BLINDSPOT_DONE);
    messages.emplace_back(error.message);
  };
  refused([&](blindspot_error* error) { return blindspot_model_open(hostile, nullptr, &opened, error); });
  refused(
      [&](blindspot_error* error) { return blindspot_model_open_memory(hostile, "x", 1, nullptr, &opened, error); });
  for (const char* blindspot_model_options::*text :
       {&blindspot_model_options::device, &blindspot_model_options::precision, &blindspot_model_options::architecture,
        &blindspot_model_options::interpolation}) {
    blindspot_model_options options{};
    options.size = sizeof(options);
    options.*text = hostile;
    refused([&](blindspot_error* error) { return blindspot_model_open("demo-resnet", &options, &opened, error); });
  }
  std::vector<float> image(pixels.size());
  refused([&](blindspot_error* error) { return blindspot_load_image(model.get(), hostile, image.data(), error); });
  blindspot_distance_measure* measure = nullptr;
  refused([&](blindspot_error* error) { return blindspot_distance_open(hostile, 1, nullptr, &measure, error); });
  refused([&](blindspot_error* error) { return blindspot_distance_open("cpu", 1, hostile, &measure, error); });
  for (const std::string& message : messages) {
    CAPTURE(message);
    CHECK(message.find("a\\x0ab\\x1b[31m\\xc2\\x9b\\x7f") != std::string::npos);
    CHECK(message.find_first_of("\n\x1b\x7f") == std::string::npos);
  }
  // An escape that does not fit is left out as a whole.
  blindspot_error error = no_error();
  error.size = offsetof(blindspot_error, message) + 4;
  CHECK(blindspot_model_open("a\nb", nullptr, &opened, &error) == BLINDSPOT_INPUT);
  CHECK(std::string(error.message) == "a");
}

TEST_CASE("numbers and counts that cannot be meant are refused") {
  const ModelHandle model = open_model("demo-resnet");
  blindspot_error error = no_error();
  blindspot_model* opened = nullptr;
  blindspot_model_options options{};
  options.size = sizeof(options);
  options.device = "cpu";
  options.threads = 1 << 20;
  CHECK(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_USAGE);
  CHECK(std::string(error.message).find("threads") != std::string::npos);
  blindspot_distance_measure* measure = nullptr;
  CHECK(blindspot_distance_open("cpu", 1 << 20, nullptr, &measure, &error) == BLINDSPOT_USAGE);
  options.threads = 1;
  const float strange[3] = {0.5F, NAN, 0.5F};
  options.mean = strange;
  CHECK(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_USAGE);
  CHECK(std::string(error.message).find("mean") != std::string::npos);
  options.mean = nullptr;
  options.deviation = strange;
  CHECK(blindspot_model_open("demo-resnet", &options, &opened, &error) == BLINDSPOT_USAGE);

  const std::vector<float> image = as_array(pictures(1));
  float number = 0;
  const std::int32_t number_of_class = 0;
  for (const std::size_t count : {std::size_t{1} << 40, SIZE_MAX}) {
    CHECK(blindspot_classify(model.get(), image.data(), count, &number, nullptr, &error) == BLINDSPOT_USAGE);
    CHECK(blindspot_gradients(model.get(), image.data(), &number_of_class, count, &number, nullptr, nullptr, &error) ==
          BLINDSPOT_USAGE);
    double quantile = 0;
    CHECK(blindspot_path_width(model.get(), image.data(), image.data(), 0, &quantile, count, nullptr, &quantile,
                               &quantile, &error) == BLINDSPOT_USAGE);
    CHECK(std::string(error.message).find("radius_count") != std::string::npos);
  }
}

TEST_CASE("two threads use a model each") {
  std::vector<float> logits(20);
  const std::vector<float> image = as_array(pictures(1));
  const auto classify = [&](std::size_t number) {
    const ModelHandle model = open_model("demo-resnet");
    for (int i = 0; i < 20; ++i) {
      blindspot_classify(model.get(), image.data(), 1, logits.data() + 10 * number, nullptr, nullptr);
    }
  };
  std::thread first(classify, 0), second(classify, 1);
  first.join();
  second.join();
  for (std::size_t k = 0; k < 10; ++k) CHECK(logits[k] == logits[10 + k]);
}
