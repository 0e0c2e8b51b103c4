// SSIM and LPIPS' difference of features against plain loops in double, and SSIM against the reference material.
#include <nlohmann/json.hpp>

#include <fstream>
#include <string>

#include "kernels/lpips_difference.cuh"
#include "kernels/ssim.cuh"
#include "tests/kernels/device_values.h"
#include "tests/shared_material.h"

namespace blindspot::tests {
namespace {

using kernels::SsimMean;
using kernels::SsimShape;

Values ssim(const Values& a, const Values& b, const SsimShape& shape, SsimMean mean, std::size_t shift = 0) {
  const DeviceValues<float> device_a(a, shift), device_b(b, shift);
  const DeviceValues<double> scratch(room(kernels::ssim_scratch(shape))), result(room(shape.images));
  REQUIRE(kernels::ssim(device_a.data(), device_b.data(), shape, mean, scratch.data(), result.data(), nullptr) ==
          cudaSuccess);
  return result.values();
}

/// Under the Gaussian in two dimensions at once.
double plain_moment(const Values& values, const SsimShape& shape, std::int64_t plane, std::int64_t row,
                    std::int64_t column) {
  const auto mirrored = [](std::int64_t place, std::int64_t size) {
    if (place < 0) return -place;
    return place < size ? place : 2 * (size - 1) - place;
  };
  double sum = 0, weights = 0;
  for (std::int64_t dy = -5; dy <= 5; ++dy) {
    for (std::int64_t dx = -5; dx <= 5; ++dx) {
      const double weight = std::exp(-static_cast<double>(dy * dy + dx * dx) / 4.5);
      const std::int64_t at =
          (plane * shape.height + mirrored(row + dy, shape.height)) * shape.width + mirrored(column + dx, shape.width);
      sum += weight * values[static_cast<std::size_t>(at)];
      weights += weight;
    }
  }
  return sum / weights;
}

double plain_ssim(const Values& a, const Values& b, const SsimShape& shape, SsimMean mean) {
  Values aa, bb, ab;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa.push_back(a[i] * a[i]);
    bb.push_back(b[i] * b[i]);
    ab.push_back(a[i] * b[i]);
  }
  const std::int64_t margin = mean == SsimMean::interior ? 5 : 0;
  double sum = 0, pixels = 0;
  for (std::int64_t plane = 0; plane < shape.channels; ++plane) {
    for (std::int64_t y = margin; y < shape.height - margin; ++y) {
      for (std::int64_t x = margin; x < shape.width - margin; ++x) {
        const auto moment = [&](const Values& values) { return plain_moment(values, shape, plane, y, x); };
        const double mean_a = moment(a), mean_b = moment(b);
        double variance_a = moment(aa) - mean_a * mean_a, variance_b = moment(bb) - mean_b * mean_b;
        if (margin == 0) variance_a = std::max(variance_a, 0.0), variance_b = std::max(variance_b, 0.0);
        const double covariance = moment(ab) - mean_a * mean_b;
        sum += (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4) /
               ((mean_a * mean_a + mean_b * mean_b + 1e-4) * (variance_a + variance_b + 9e-4));
        ++pixels;
      }
    }
  }
  return sum / pixels;
}

template <class T>
Values lpips(const Values& a, const Values& b, const Values& weight, const kernels::LpipsShape& shape, bool accumulate,
             const Values& former) {
  const DeviceValues<T> device_a(a), device_b(b);
  const DeviceValues<float> device_weight(weight);
  const DeviceValues<double> scratch(room(kernels::lpips_difference_scratch(shape))), result(former);
  REQUIRE(kernels::lpips_difference(device_a.data(), device_b.data(), element_of<T>(), device_weight.data(), shape,
                                    accumulate, scratch.data(), result.data(), nullptr) == cudaSuccess);
  return result.values();
}

/// The tensor `image` of a safetensors file that holds nothing else.
Values image_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t header_bytes = 0;
  file.read(reinterpret_cast<char*>(&header_bytes), sizeof header_bytes);
  std::string header(header_bytes, ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  const auto range = nlohmann::json::parse(header).at("image").at("data_offsets");
  const std::size_t begin = range.at(0), end = range.at(1);
  std::vector<float> values((end - begin) / sizeof(float));
  file.seekg(static_cast<std::streamoff>(sizeof header_bytes + header_bytes + begin));
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(end - begin));
  REQUIRE(file.good());
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("ssim of images of any size, in any slot") {
  for (const SsimShape& shape : {SsimShape{2, 3, 6, 7}, SsimShape{2, 1, 11, 16}, SsimShape{3, 3, 17, 33}}) {
    const std::int64_t count = shape.channels * shape.height * shape.width;
    const Values a = random_values(shape.images * count, 1, 0, 1);
    Values b = random_values(shape.images * count, 2, 0, 1);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(static_cast<float>(a[i] * 0.7 + b[i] * 0.3));
    for (const SsimMean mean : {SsimMean::whole, SsimMean::interior}) {
      if (mean == SsimMean::interior && shape.height < 11) continue;
      const Values result = ssim(a, b, shape, mean);
      CHECK(same_bits(result, ssim(a, b, shape, mean, 1)));
      for (std::int64_t n = 0; n < shape.images; ++n) {
        const Values one = part(a, n * count, count), other = part(b, n * count, count);
        const SsimShape alone = {1, shape.channels, shape.height, shape.width};
        CHECK(result[static_cast<std::size_t>(n)] ==
              doctest::Approx(plain_ssim(one, other, alone, mean)).epsilon(1e-11));
        CHECK(same_bits(ssim(one, other, alone, mean), part(result, n, 1)));
        CHECK(ssim(one, one, alone, mean)[0] == doctest::Approx(1).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("ssim refuses images that cannot be mirrored, or have no interior") {
  const Values values = random_values(std::int64_t{3} * 10 * 10, 1);
  const DeviceValues<float> a(values);
  const DeviceValues<double> scratch(room(9)), result(room(1));
  const auto status = [&](std::int64_t side, SsimMean mean) {
    return kernels::ssim(a.data(), a.data(), {1, 3, side, 10}, mean, scratch.data(), result.data(), nullptr);
  };
  CHECK(status(5, SsimMean::whole) == cudaErrorInvalidValue);
  CHECK(status(6, SsimMean::whole) == cudaSuccess);
  CHECK(status(10, SsimMean::interior) == cudaErrorInvalidValue);
}

TEST_CASE("ssim of the reference material") {
  const auto folder = shared_material("fixtures/distances");
  if (!folder) return;
  std::ifstream file(*folder / "index.json");
  const nlohmann::json index = nlohmann::json::parse(file);
  for (const nlohmann::json& pair : index.at("pairs")) {
    const Values a = image_of(*folder / pair.at("a").get<std::string>());
    const Values b = image_of(*folder / pair.at("b").get<std::string>());
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(a.size()) / 3)));
    CAPTURE(pair.at("note").get<std::string>());
    const SsimShape shape = {1, 3, side, side};
    CHECK(ssim(a, b, shape, SsimMean::whole)[0] ==
          doctest::Approx(pair.at("ssim_default").get<double>()).epsilon(1e-9));
    CHECK(ssim(a, b, shape, SsimMean::interior)[0] ==
          doctest::Approx(pair.at("ssim_reference").get<double>()).epsilon(1e-9));
  }
}

TEST_CASE_TEMPLATE("LPIPS' difference of features", T, float, __nv_bfloat16, __half) {
  for (const kernels::LpipsShape& shape : {kernels::LpipsShape{1, 1, 1}, kernels::LpipsShape{2, 63, 13},
                                           kernels::LpipsShape{3, 130, 64}, kernels::LpipsShape{1, 9, 384}}) {
    const std::int64_t count = shape.pixels * shape.channels;
    Values a = rounded<T>(random_values(shape.images * count, 1, 0, 3));
    const Values b = rounded<T>(random_values(shape.images * count, 2, 0, 3));
    std::fill_n(a.begin(), shape.channels, 0.0);  // a pixel without any feature
    const Values weight = random_values(shape.channels, 3, 0, 1);
    const Values former = random_values(shape.images, 4);
    Values expected;
    for (std::int64_t n = 0; n < shape.images; ++n) {
      double sum = 0;
      for (std::int64_t p = 0; p < shape.pixels; ++p) {
        const Values of_a = part(a, n * count + p * shape.channels, shape.channels);
        const Values of_b = part(b, n * count + p * shape.channels, shape.channels);
        double norm_a = 0, norm_b = 0;
        for (const double value : of_a) norm_a += value * value;
        for (const double value : of_b) norm_b += value * value;
        for (std::size_t c = 0; c < of_a.size(); ++c) {
          const double difference = of_a[c] / (std::sqrt(norm_a) + 1e-10) - of_b[c] / (std::sqrt(norm_b) + 1e-10);
          sum += weight[c] * difference * difference;
        }
      }
      expected.push_back(sum / static_cast<double>(shape.pixels));
    }
    const Values result = lpips<T>(a, b, weight, shape, false, former),
                 added = lpips<T>(a, b, weight, shape, true, former);
    for (std::size_t n = 0; n < expected.size(); ++n) {
      CHECK(result[n] == doctest::Approx(expected[n]).epsilon(1e-12));
      CHECK(added[n] == doctest::Approx(expected[n] + former[n]).epsilon(1e-12));
    }
  }
}

}  // namespace blindspot::tests
