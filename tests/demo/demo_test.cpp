// The two built-in networks, measured by the engine on a thousand drawn pictures of a series that neither their
// training nor their choice saw. Uses the public interface, and the embedded bytes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "blindspot/demo.h"
#include "blindspot/image.h"
#include "blindspot/model.h"
#include "weights/demo/embedded.h"

namespace {

constexpr std::uint64_t unseen_seed = 3;
constexpr std::uint64_t pictures_a_class = 100;

struct Measurement {
  double accuracy = 0;
  double unsure = 0;  ///< share of the predicted classes' probabilities within [0.5, 0.99]
};

Measurement measure(blindspot::Model& model) {
  const int classes = static_cast<int>(blindspot::drawn_class_names().size());
  double right = 0;
  double unsure = 0;
  double count = 0;
  for (int label = 0; label < classes; ++label) {
    std::vector<blindspot::Image> images;
    std::vector<const blindspot::Image*> views;
    for (std::uint64_t number = 0; number < pictures_a_class; ++number) {
      images.push_back(blindspot::to_image(blindspot::draw_picture(label, number, unseen_seed)));
    }
    views.reserve(images.size());
    for (const blindspot::Image& image : images) views.push_back(&image);
    for (const std::vector<float>& logits : model.logits(views)) {
      const std::vector<double> probabilities = blindspot::softmax(logits);
      const auto largest = std::max_element(probabilities.begin(), probabilities.end());
      right += largest - probabilities.begin() == label ? 1 : 0;
      unsure += *largest >= 0.5 && *largest <= 0.99 ? 1 : 0;
      count += 1;
    }
  }
  return {right / count, unsure / count};
}

}  // namespace

TEST_CASE("the built-in networks are right on 95 % of a thousand new pictures and unsure of a third or more") {
  for (const std::string name : {"demo-resnet", "demo-vit"}) {
    CAPTURE(name);
    blindspot::Model model = blindspot::Model::open(name);
    const Measurement measured = measure(model);
    MESSAGE(name << ": accuracy " << measured.accuracy << ", confidences in [0.5, 0.99] " << measured.unsure);
    CHECK(measured.accuracy >= 0.95);
    CHECK(measured.unsure >= 1.0 / 3.0);
  }
}

TEST_CASE("the built-in networks say what they are") {
  for (const std::string name : {"demo-resnet", "demo-vit"}) {
    CAPTURE(name);
    const blindspot::Model model = blindspot::Model::open(name);
    const blindspot::ModelInformation& information = model.information();
    CHECK(information.classes == blindspot::drawn_class_names());
    CHECK(information.class_count == 10);
    CHECK(information.preprocessing.input_size == blindspot::drawn_picture_size);
    CHECK_FALSE(information.preprocessing_assumed);
  }
}

TEST_CASE("each built-in weight file takes less than 500 kB of the program") {
  for (const char* name : {"demo-resnet", "demo-vit"}) {
    CAPTURE(name);
    const auto bytes = blindspot::weights::embedded_weights(name);
    CHECK(bytes.size() > 100'000);
    CHECK(bytes.size() < 500'000);
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 == 0);
  }
  CHECK(blindspot::weights::embedded_weights("demo").empty());
  CHECK(blindspot::weights::embedded_weights("").empty());
}
