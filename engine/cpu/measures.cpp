// Implementation of measures.h. Products and sums are doubles in the order of device_measures.h; a part of a loop goes
// to a thread, and no sum is split between threads.
#include "engine/cpu/measures.h"

#include <array>
#include <bit>
#include <cmath>

#include "engine/cpu/operations.h"
#include "engine/philox_words.h"

namespace blindspot::cpu {
namespace {

constexpr int taps = 11;
constexpr int reach = taps / 2;
constexpr std::int64_t moments = 5;  // of a, b, a², b², ab under the Gaussian

bool are_images(const Array& array, std::int64_t images, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == images * count;
}

float in_unit_range(float value) {
  return value < 0.0F ? 0.0F : value > 1.0F ? 1.0F : value;  // NaN stays
}

/// Rows of images times their elements, in parts that are worth a thread.
template <typename Body>
void over_elements_of(const CpuDevice& device, std::int64_t images, std::int64_t count, const Body& body) {
  device.parallel_for(images * count, elements_per_part, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t image = begin / count;
      const std::int64_t last = std::min(end, (image + 1) * count);
      body(image, begin - image * count, last - image * count);
      begin = last;
    }
  });
}

std::array<double, taps> gaussian_taps() {
  std::array<double, taps> values{};
  double sum = 0;
  for (int k = 0; k < taps; ++k)
    sum += values[static_cast<std::size_t>(k)] = std::exp(-(k - reach) * (k - reach) / 4.5);
  for (double& value : values) value /= sum;
  return values;
}

/// Place within 0 … size − 1 of one that lies outside by at most 5.
std::int64_t mirrored(std::int64_t place, std::int64_t size) {
  if (place < 0) return -place;
  return place >= size ? 2 * (size - 1) - place : place;
}

double ssim_of(const std::array<double, moments>& m, bool clamp) {
  double variance_a = m[2] - m[0] * m[0];
  double variance_b = m[3] - m[1] * m[1];
  if (clamp) {
    variance_a = std::max(variance_a, 0.0);
    variance_b = std::max(variance_b, 0.0);
  }
  const double covariance = m[4] - m[0] * m[1];
  return (2 * m[0] * m[1] + 1e-4) * (2 * covariance + 9e-4) /
         ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (variance_a + variance_b + 9e-4));
}

struct Plane {
  const float *a, *b;
  std::int64_t height, width;
};

/// across[y, x, ·]: the moments of row y under the taps.
void sum_across(const Plane& plane, const std::array<double, taps>& gaussian, double* across) {
  for (std::int64_t y = 0; y < plane.height; ++y) {
    const float* a = plane.a + y * plane.width;
    const float* b = plane.b + y * plane.width;
    for (std::int64_t x = 0; x < plane.width; ++x) {
      std::array<double, moments> sums{};
      for (int k = 0; k < taps; ++k) {
        const std::int64_t at = mirrored(x + k - reach, plane.width);
        const double weight = gaussian[static_cast<std::size_t>(k)];
        const double left = a[at];
        const double right = b[at];
        sums[0] += weight * left;
        sums[1] += weight * right;
        sums[2] += weight * (left * left);
        sums[3] += weight * (right * right);
        sums[4] += weight * (left * right);
      }
      std::copy(sums.begin(), sums.end(), across + (y * plane.width + x) * moments);
    }
  }
}

/// Sum of the similarity over a plane without `margin` pixels at each edge.
double sum_of_similarity(const Plane& plane, const std::array<double, taps>& gaussian, const double* across,
                         std::int64_t margin) {
  double sum = 0;
  for (std::int64_t y = margin; y < plane.height - margin; ++y) {
    for (std::int64_t x = margin; x < plane.width - margin; ++x) {
      std::array<double, moments> down{};
      for (int k = 0; k < taps; ++k) {
        const double* row = across + (mirrored(y + k - reach, plane.height) * plane.width + x) * moments;
        for (std::size_t m = 0; m < down.size(); ++m) down[m] += gaussian[static_cast<std::size_t>(k)] * row[m];
      }
      sum += ssim_of(down, margin == 0);
    }
  }
  return sum;
}

double value_of(float value) {
  return value;
}

/// A bfloat16 is the upper half of a float32.
double value_of(Bfloat16 value) {
  return std::bit_cast<float>(std::uint32_t{value} << 16U);
}

template <typename Element>
double squares(const Element* values, std::int64_t count) {
  double sum = 0;
  for (std::int64_t c = 0; c < count; ++c) {
    const double value = value_of(values[c]);
    sum += value * value;
  }
  return sum;
}

/// Σ_c w_c·(â_c − b̂_c)² of one pixel.
template <typename Element>
double pixel_difference(const Element* a, const Element* b, const float* weight, std::int64_t channels) {
  const double scale_a = 1 / (std::sqrt(squares(a, channels)) + 1e-10);
  const double scale_b = 1 / (std::sqrt(squares(b, channels)) + 1e-10);
  double sum = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double difference = value_of(a[c]) * scale_a - value_of(b[c]) * scale_b;
    sum += static_cast<double>(weight[c]) * (difference * difference);
  }
  return sum;
}

}  // namespace

void CpuMeasures::mix_points(const Array& images, std::span<const double> weights, bool clamp, Array& points) {
  const std::int64_t count = elements_per_image(images);
  const std::int64_t vertices = images.shape().rank() == 0 ? 0 : images.shape()[0];
  const std::int64_t rows = points.shape().rank() == 0 ? 0 : points.shape()[0];
  require(are_images(images, vertices, count) && are_images(points, rows, count) &&
              static_cast<std::int64_t>(weights.size()) == rows * vertices,
          "mix_points");
  over_elements_of(device_, rows, count, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    const double* weight = weights.data() + row * vertices;
    float* const out = elements<float>(points) + row * count;
    for (std::int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < vertices; ++j) {
        sum += weight[j] * static_cast<double>(elements<float>(images)[j * count + i]);
      }
      out[i] = clamp ? in_unit_range(static_cast<float>(sum)) : static_cast<float>(sum);
    }
  });
}

void CpuMeasures::gaussian(const RandomStream& stream, Array& values) {
  require(values.type() == Type::float32, "gaussian");
  const std::int64_t count = values.shape().count();
  device_.parallel_for((count + 3) / 4, elements_per_part / 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const Counter words = philox(
          {static_cast<std::uint32_t>(block), stream.counter[0], stream.counter[1], stream.counter[2]}, stream.key);
      const auto first = box_muller(words[0], words[1]);
      const auto second = box_muller(words[2], words[3]);
      const std::array<double, 4> drawn = {first.first, first.second, second.first, second.second};
      for (std::int64_t i = 0; i < 4 && 4 * block + i < count; ++i) {
        elements<float>(values)[4 * block + i] = static_cast<float>(drawn[static_cast<std::size_t>(i)]);
      }
    }
  });
}

void CpuMeasures::width_factors(const Array& directions, const Array& v, Array& factors) {
  const std::int64_t count = elements_per_image(directions);
  const std::int64_t rows = directions.shape()[0];
  require(are_images(directions, rows, count) && are_images(v, 1, count) && are_images(factors, rows, 4),
          "width_factors");
  device_.parallel_for(rows, rows_per_part(count), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      double along = 0;
      double itself = 0;
      double of_v = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const double d_value = elements<float>(directions)[k * count + i];
        const double v_value = elements<float>(v)[i];
        along += d_value * v_value;
        itself += d_value * d_value;
        of_v += v_value * v_value;
      }
      const double slope = along / of_v;
      const double square = itself - slope * along;
      // Along v nothing but rounding errors is left. NaN goes through.
      const bool is_zero = of_v == 0 || square <= 1e-14 * itself;
      const double scale = 1 / std::sqrt(square);
      elements<double>(factors)[2 * k] = is_zero ? 0.0 : scale;
      elements<double>(factors)[2 * k + 1] = is_zero ? 0.0 : scale * slope;
    }
  });
}

void CpuMeasures::width_points(const Array& x, const Array& v, const Array& directions, const Array& factors,
                               double radius, Array& points) {
  const std::int64_t count = elements_per_image(directions);
  const std::int64_t rows = directions.shape()[0];
  require(are_images(directions, rows, count) && are_images(points, rows, count) && are_images(x, 1, count) &&
              are_images(v, 1, count) && are_images(factors, rows, 4),
          "width_points");
  over_elements_of(device_, rows, count, [&](std::int64_t k, std::int64_t begin, std::int64_t end) {
    const double along_direction = radius * elements<double>(factors)[2 * k];
    const double along_v = radius * elements<double>(factors)[2 * k + 1];
    for (std::int64_t i = begin; i < end; ++i) {
      const double change = along_direction * static_cast<double>(elements<float>(directions)[k * count + i]) -
                            along_v * static_cast<double>(elements<float>(v)[i]);
      elements<float>(points)[k * count + i] =
          in_unit_range(static_cast<float>(static_cast<double>(elements<float>(x)[i]) + change));
    }
  });
}

void CpuMeasures::ssim(const Array& a, const Array& b, SsimMean mean, std::span<double> result) {
  const Shape& shape = a.shape();
  const std::int64_t margin = mean == SsimMean::interior ? reach : 0;
  require(a.type() == Type::float32 && b.type() == Type::float32 && shape == b.shape() && shape.rank() == 4 &&
              std::min(shape[2], shape[3]) > std::max<std::int64_t>(reach, 2 * margin) &&
              static_cast<std::int64_t>(result.size()) == shape[0],
          "ssim");
  const std::int64_t planes = shape[0] * shape[1];
  const std::int64_t count = shape[2] * shape[3];
  const std::array<double, taps> weights = gaussian_taps();
  const Array across = device_.array(Type::float32, {planes, count * moments * 2});  // doubles
  const Array sums = device_.array(Type::float32, {planes, 2});                      // doubles
  device_.parallel_for(planes, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Plane plane = {elements<float>(a) + i * count, elements<float>(b) + i * count, shape[2], shape[3]};
      double* const moments_of_plane = elements<double>(across) + i * count * moments;
      sum_across(plane, weights, moments_of_plane);
      elements<double>(sums)[i] = sum_of_similarity(plane, weights, moments_of_plane, margin);
    }
  });
  const auto pixels = static_cast<double>(shape[1] * (shape[2] - 2 * margin) * (shape[3] - 2 * margin));
  device_.parallel_for(shape[0], shape[0], [&](std::int64_t, std::int64_t) {
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      double sum = 0;
      for (std::int64_t c = 0; c < shape[1]; ++c) sum += elements<double>(sums)[n * shape[1] + c];
      result[static_cast<std::size_t>(n)] = sum / pixels;
    }
  });
}

void CpuMeasures::lpips_difference(const Array& a, const Array& b, const Array& weight, std::span<double> result) {
  const Shape& shape = a.shape();
  require(shape == b.shape() && a.type() == b.type() && shape.rank() == 4 && are_images(weight, 1, shape[3]) &&
              static_cast<std::int64_t>(result.size()) == shape[0],
          "lpips_difference");
  const std::int64_t pixels = shape[1] * shape[2];
  with_element(a.type(), "lpips_difference", [&](auto element) {
    using Element = decltype(element);
    device_.parallel_for(shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        double sum = 0;
        for (std::int64_t i = n * pixels; i < (n + 1) * pixels; ++i) {
          sum += pixel_difference(elements<Element>(a) + i * shape[3], elements<Element>(b) + i * shape[3],
                                  elements<float>(weight), shape[3]);
        }
        result[static_cast<std::size_t>(n)] = sum / static_cast<double>(pixels);
      }
    });
  });
}

}  // namespace blindspot::cpu
