// Rows of the operation test for the measures: mixing, random directions, width points, SSIM, LPIPS terms. Uses
// operation_case.h, device_measures.h and Philox's words.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/device_measures.h"
#include "engine/philox_words.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

Field given(const Shape& shape, std::uint64_t seed, double low, double high, bool per_image) {
  return {Kind::float32, shape, per_image, random_values(shape, seed, low, high)};
}

double clamped(double value) {
  return std::clamp(value, 0.0, 1.0);
}

void add_mix(std::vector<OperationCase>& cases, std::int64_t vertices, const Shape& points, bool clamp) {
  const Shape images = {vertices, points[1], points[2], points[3]};
  const auto count = static_cast<std::size_t>(points.count() / points[0]);
  const auto corners = static_cast<std::size_t>(vertices);
  cases.push_back({fmt::format("mix_points {} of {} clamp {}", points.text(), vertices, clamp),
                   {given(images, 201, 0, 1, false),
                    {Kind::number, {points[0], vertices}, true, random_values({points[0], vertices}, 202, -0.5, 1.2)}},
                   {{Kind::float32, points, true, {}}},
                   [clamp](Call& call) {
                     const std::vector<double> weights(call.values[1].begin(), call.values[1].end());
                     call.device.measures().mix_points(call.in[0], weights, clamp, call.out[0]);
                   },
                   [=](const auto& in) {
                     Values out;
                     for (std::size_t p = 0; p < in[1].size() / corners; ++p) {
                       for (std::size_t i = 0; i < count; ++i) {
                         double sum = 0;
                         for (std::size_t j = 0; j < corners; ++j) sum += in[1][p * corners + j] * in[0][j * count + i];
                         out.push_back(clamp ? clamped(sum) : sum);
                       }
                     }
                     return std::vector<Values>{out};
                   }});
}

void add_gaussian(std::vector<OperationCase>& cases, std::int64_t count) {
  const RandomStream stream = {{5, 6}, {7, 8, 9}};
  cases.push_back({fmt::format("gaussian {}", count),
                   {},
                   {{Kind::float32, {count}, false, {}}},
                   [stream](Call& call) { call.device.measures().gaussian(stream, call.out[0]); },
                   [=](const auto&) {
                     Values out;
                     for (std::uint32_t block = 0; out.size() < static_cast<std::size_t>(count); ++block) {
                       const Counter words = philox({block, 7, 8, 9}, {5, 6});
                       for (const std::size_t i : {0U, 2U}) {
                         const auto [even, odd] = box_muller(words[i], words[i + 1]);
                         out.insert(out.end(), {even, odd});
                       }
                     }
                     out.resize(static_cast<std::size_t>(count));
                     return std::vector<Values>{out};
                   }});
}

/// d made orthogonal to v and scaled to unit length.
Values across(const Values& directions, std::size_t k, const Values& v) {
  const std::size_t count = v.size();
  double along = 0;
  double of_v = 0;
  for (std::size_t i = 0; i < count; ++i) {
    along += directions[k * count + i] * v[i];
    of_v += v[i] * v[i];
  }
  Values u(count);
  double square = 0;
  for (std::size_t i = 0; i < count; ++i) {
    u[i] = of_v == 0 ? 0 : directions[k * count + i] - along / of_v * v[i];
    square += u[i] * u[i];
  }
  for (double& value : u) value = square == 0 ? 0 : value / std::sqrt(square);
  return u;
}

void add_width(std::vector<OperationCase>& cases, const Shape& directions, double radius, double magnitude) {
  const Shape one = {1, directions[1], directions[2], directions[3]};
  cases.push_back({fmt::format("width_points {} radius {} v {}", directions.text(), radius, magnitude),
                   {given(directions, 211, -3, 3, true), given(one, 212, -magnitude, magnitude, false),
                    given(one, 213, 0, 1, false)},
                   {{Kind::float32, directions, true, {}}},
                   [radius](Call& call) {
                     Measures& measures = call.device.measures();
                     Array factors = call.device.array(Type::float32, {call.in[0].shape()[0], 4});
                     measures.width_factors(call.in[0], call.in[1], factors);
                     measures.width_points(call.in[2], call.in[1], call.in[0], factors, radius, call.out[0]);
                   },
                   [=](const auto& in) {
                     Values out;
                     for (std::size_t k = 0; k < in[0].size() / in[1].size(); ++k) {
                       const Values u = across(in[0], k, in[1]);
                       for (std::size_t i = 0; i < u.size(); ++i) out.push_back(clamped(in[2][i] + radius * u[i]));
                     }
                     return std::vector<Values>{out};
                   }});
}

/// Similarity at one pixel of a plane, each window summed in two dimensions at once.
double similarity(const double* a, const double* b, std::int64_t height, std::int64_t width, std::int64_t y,
                  std::int64_t x, bool clamp) {
  const auto mirrored = [](std::int64_t at, std::int64_t size) {
    return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
  };
  double weights = 0;
  std::array<double, 5> m{};
  for (int dy = -5; dy <= 5; ++dy) {
    for (int dx = -5; dx <= 5; ++dx) {
      const double weight = std::exp(-(dy * dy + dx * dx) / 4.5);
      const std::int64_t at = mirrored(y + dy, height) * width + mirrored(x + dx, width);
      weights += weight;
      const std::array<double, 5> terms = {a[at], b[at], a[at] * a[at], b[at] * b[at], a[at] * b[at]};
      for (std::size_t i = 0; i < m.size(); ++i) m[i] += weight * terms[i];
    }
  }
  for (double& value : m) value /= weights;
  const double variance_a = clamp ? std::max(0.0, m[2] - m[0] * m[0]) : m[2] - m[0] * m[0];
  const double variance_b = clamp ? std::max(0.0, m[3] - m[1] * m[1]) : m[3] - m[1] * m[1];
  return (2 * m[0] * m[1] + 1e-4) * (2 * (m[4] - m[0] * m[1]) + 9e-4) /
         ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (variance_a + variance_b + 9e-4));
}

/// Hands doubles over as the row's output.
void store(Device& device, const std::vector<double>& values, Array& to) {
  const std::vector<float> floats(values.begin(), values.end());
  device.upload(std::span<const float>(floats), to);
}

void add_ssim(std::vector<OperationCase>& cases, const Shape& images, SsimMean mean) {
  const std::int64_t margin = mean == SsimMean::interior ? 5 : 0;
  cases.push_back(
      {fmt::format("ssim {} {}", images.text(), margin == 0 ? "whole" : "interior"),
       {given(images, 221, 0, 1, true), given(images, 222, 0, 1, true)},
       {{Kind::float32, {images[0]}, true, {}}},
       [mean](Call& call) {
         std::vector<double> result(static_cast<std::size_t>(call.in[0].shape()[0]));
         call.device.measures().ssim(call.in[0], call.in[1], mean, result);
         store(call.device, result, call.out[0]);
       },
       [=](const auto& in) {
         Values out;
         const std::int64_t height = images[2];
         const std::int64_t width = images[3];
         for (std::int64_t n = 0; n < images[0]; ++n) {
           double sum = 0;
           for (std::int64_t c = 0; c < images[1]; ++c) {
             const std::int64_t plane = (n * images[1] + c) * height * width;
             for (std::int64_t y = margin; y < height - margin; ++y) {
               for (std::int64_t x = margin; x < width - margin; ++x) {
                 sum += similarity(in[0].data() + plane, in[1].data() + plane, height, width, y, x, margin == 0);
               }
             }
           }
           out.push_back(sum / static_cast<double>(images[1] * (height - 2 * margin) * (width - 2 * margin)));
         }
         return std::vector<Values>{out};
       }});
}

void add_lpips(std::vector<OperationCase>& cases, const Shape& features) {
  const auto channels = static_cast<std::size_t>(features[3]);
  const auto pixels = static_cast<std::size_t>(features[1] * features[2]);
  cases.push_back({fmt::format("lpips_difference {}", features.text()),
                   {{Kind::activation, features, true, random_values(features, 231, 0, 2)},
                    {Kind::activation, features, true, random_values(features, 232, 0, 2)},
                    given({features[3]}, 233, 0, 1, false)},
                   {{Kind::float32, {features[0]}, true, {}}},
                   [](Call& call) {
                     std::vector<double> result(static_cast<std::size_t>(call.in[0].shape()[0]));
                     call.device.measures().lpips_difference(call.in[0], call.in[1], call.in[2], result);
                     store(call.device, result, call.out[0]);
                   },
                   [=](const auto& in) {
                     Values out;
                     const auto length = [&](const Values& values, std::size_t at) {
                       double sum = 0;
                       for (std::size_t c = 0; c < channels; ++c) sum += values[at + c] * values[at + c];
                       return std::sqrt(sum) + 1e-10;
                     };
                     for (std::size_t n = 0; n < in[0].size() / (pixels * channels); ++n) {
                       double sum = 0;
                       for (std::size_t p = 0; p < pixels; ++p) {
                         const std::size_t at = (n * pixels + p) * channels;
                         const double of_a = length(in[0], at);
                         const double of_b = length(in[1], at);
                         for (std::size_t c = 0; c < channels; ++c) {
                           const double apart = in[0][at + c] / of_a - in[1][at + c] / of_b;
                           sum += in[2][c] * apart * apart;
                         }
                       }
                       out.push_back(sum / static_cast<double>(pixels));
                     }
                     return std::vector<Values>{out};
                   }});
}

}  // namespace

std::vector<OperationCase> measure_cases() {
  std::vector<OperationCase> cases;
  add_mix(cases, 3, {5, 3, 7, 5}, false);
  add_mix(cases, 1, {2, 3, 32, 32}, false);
  add_mix(cases, 6, {9, 3, 4, 4}, true);
  add_gaussian(cases, 1023);
  add_gaussian(cases, 2);
  add_width(cases, {4, 3, 6, 7}, 0.5, 1);
  add_width(cases, {3, 3, 32, 32}, 4, 1e-3);
  add_width(cases, {2, 3, 4, 4}, 1, 0);
  add_width(cases, {2, 3, 4, 4}, 0, 1);
  add_ssim(cases, {2, 3, 6, 9}, SsimMean::whole);
  add_ssim(cases, {3, 3, 17, 33}, SsimMean::whole);
  add_ssim(cases, {2, 3, 11, 20}, SsimMean::interior);
  add_lpips(cases, {2, 3, 5, 64});
  add_lpips(cases, {3, 1, 1, 7});
  return cases;
}

}  // namespace blindspot::tests
