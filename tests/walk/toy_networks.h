// Small networks whose logits and gradients are worked out on the host in double: what a walk does can then be followed
// by hand. Uses network.h and Philox for their weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/levelset/philox.h"
#include "engine/networks/network.h"
#include "tests/devices.h"

namespace blindspot::tests {

/// logits[k] = bias[k] + w_k·x + ½·curvature·(q_k·x)², n values of x. Zero weights make it constant. A NaN in x makes
/// every logit NaN.
struct ToyModel {
  std::int64_t values = 0, classes = 0;
  double curvature = 0;
  std::vector<double> weight, bend, bias;  // [classes, values] twice, [classes]

  static ToyModel random(std::int64_t values, std::int64_t classes, double gain, double curvature) {
    ToyModel model = constant(values, classes);
    model.curvature = curvature;
    std::vector<float> numbers(model.weight.size() * 2);
    levelset::gaussian({11, 22, 0, levelset::RandomUse::simplex_points}, numbers);
    for (std::size_t i = 0; i < model.weight.size(); ++i) {
      model.weight[i] = gain * static_cast<double>(numbers[i]);
      model.bend[i] = gain * static_cast<double>(numbers[model.weight.size() + i]);
    }
    return model;
  }

  static ToyModel constant(std::int64_t values, std::int64_t classes) {
    const auto count = static_cast<std::size_t>(values * classes);
    ToyModel model;
    model.values = values;
    model.classes = classes;
    model.weight.assign(count, 0.0);
    model.bend.assign(count, 0.0);
    model.bias.assign(static_cast<std::size_t>(classes), 0.0);
    return model;
  }

  double bent(std::size_t k, const auto& x) const {
    const auto n = static_cast<std::size_t>(values);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += bend[k * n + i] * static_cast<double>(x[i]);
    return sum;
  }

  std::vector<double> logits(const auto& x) const {
    const auto n = static_cast<std::size_t>(values);
    std::vector<double> result = bias;
    for (std::size_t k = 0; k < result.size(); ++k) {
      for (std::size_t i = 0; i < n; ++i) result[k] += weight[k * n + i] * static_cast<double>(x[i]);
      const double q = bent(k, x);
      result[k] += 0.5 * curvature * q * q;
    }
    return result;
  }

  std::vector<double> gradient(const auto& x, const auto& dlogits) const {
    const auto n = static_cast<std::size_t>(values);
    std::vector<double> result(n, 0.0);
    for (std::size_t k = 0; k < bias.size(); ++k) {
      const double q = bent(k, x);
      for (std::size_t i = 0; i < n; ++i) {
        result[i] += static_cast<double>(dlogits[k]) * (weight[k * n + i] + curvature * q * bend[k * n + i]);
      }
    }
    return result;
  }
};

/// A ToyModel as a Network: computed in double where the arrays lie, rounded once to float32.
class ToyNetwork final : public Network {
 public:
  ToyNetwork(const ToyModel& model, Device& device, std::int64_t batch, std::int64_t height, std::int64_t width)
      : model_(model), device_(device), batch_(batch), height_(height), width_(width) {
    images_.resize(static_cast<std::size_t>(batch * model.values));
  }

  std::int64_t batch() const override { return batch_; }
  std::int64_t height() const override { return height_; }
  std::int64_t width() const override { return width_; }
  std::int64_t classes() const override { return model_.classes; }

  Array forward(const WriteImages& write_images) override {
    Array input = device_.array(Type::float32, {batch_, height_, width_, 3});
    write_images({}, input);
    Array logits = device_.array(Type::float32, {batch_, model_.classes});
    run_on(device_, [this, from = floats(input), to = floats(logits)] {
      ++forwards;
      for_elements([&](std::size_t at, std::size_t channels_last) { images_[at] = from[channels_last]; });
      float* next = to;
      for (std::size_t n = 0; n < static_cast<std::size_t>(batch_); ++n) {
        for (const double logit : model_.logits(image(n))) *next++ = static_cast<float>(logit);
      }
    });
    return logits;
  }

  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override {
    Array dinput = device_.array(Type::float32, {batch_, height_, width_, 3});
    run_on(device_, [this, from = floats(dlogits), to = floats(dinput)] {
      ++gradients;
      const auto classes = static_cast<std::size_t>(model_.classes);
      std::vector<float> values;
      for (std::size_t n = 0; n < static_cast<std::size_t>(batch_); ++n) {
        const std::span<const float> seed(from + n * classes, classes);
        for (const double value : model_.gradient(image(n), seed)) values.push_back(static_cast<float>(value));
      }
      for_elements([&](std::size_t at, std::size_t channels_last) { to[channels_last] = values[at]; });
    });
    read_gradient({}, dinput);
  }

  void forget() override {
    run_on(device_, [this] { ++forgotten; });
  }

  int forwards = 0, gradients = 0, forgotten = 0;  ///< what was computed, rehearsals apart

 private:
  static float* floats(const Array& array) { return reinterpret_cast<float*>(array.data()); }

  /// Calls body(place in [N, 3, H, W], place in [N, H, W, 3]).
  void for_elements(const auto& body) const {
    const auto pixels = static_cast<std::size_t>(height_ * width_);
    for (std::size_t at = 0; at < images_.size(); ++at) {
      const std::size_t n = at / (3 * pixels);
      body(at, (n * pixels + at % pixels) * 3 + at / pixels % 3);
    }
  }

  std::span<const float> image(std::size_t n) const {
    const auto values = static_cast<std::size_t>(model_.values);
    return std::span<const float>(images_).subspan(n * values, values);
  }

  const ToyModel& model_;
  Device& device_;
  std::int64_t batch_, height_, width_;
  std::vector<float> images_;
};

}  // namespace blindspot::tests
