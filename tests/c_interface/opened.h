// What the tests of the C interface share: errors, a model that closes itself, pictures. Uses the public headers and
// doctest.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "blindspot.h"
#include "blindspot/demo.h"
#include "blindspot/image.h"
#include "blindspot/model.h"

namespace blindspot::c_interface_tests {

inline blindspot_error no_error() {
  blindspot_error error{};
  error.size = sizeof(error);
  return error;
}

/// All zero but for its size.
template <typename Struct>
Struct sized() {
  Struct empty{};
  empty.size = sizeof(empty);
  return empty;
}

using ModelHandle = std::unique_ptr<blindspot_model, decltype(&blindspot_model_close)>;

inline ModelHandle open_model(const char* name) {
  blindspot_error error = no_error();
  blindspot_model_options options{};
  options.size = sizeof(options);
  options.device = "cpu";
  options.threads = 1;
  blindspot_model* model = nullptr;
  REQUIRE_MESSAGE(blindspot_model_open(name, &options, &model, &error) == BLINDSPOT_DONE, error.message);
  return {model, &blindspot_model_close};
}

/// The same through the C++ interface, to compare with.
inline Model open_in_cpp(const char* name) {
  ModelOptions options;
  options.device = "cpu";
  options.threads = 1;
  return Model::open(name, options);
}

/// Drawn pictures, [count, 3, 32, 32].
inline std::vector<Image> pictures(std::size_t count) {
  std::vector<Image> images;
  for (std::size_t i = 0; i < count; ++i) images.push_back(to_image(draw_picture(static_cast<int>(i % 10), i, 7)));
  return images;
}

inline std::vector<float> as_array(const std::vector<Image>& images) {
  std::vector<float> values;
  for (const Image& image : images) values.insert(values.end(), image.values.begin(), image.values.end());
  return values;
}

}  // namespace blindspot::c_interface_tests
