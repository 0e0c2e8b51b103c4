// The loss at the logits against plain loops in long double: sure networks, NaN and infinity, classes that do not
// exist, the same bits in any slot.
#include <limits>

#include "kernels/cross_entropy.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Loss {
  Values probability, seed, inverse_scale;
};

Loss loss_of(const Values& logits, const Values& classes, std::size_t shift = 0) {
  const auto images = static_cast<std::int64_t>(classes.size());
  const auto count = static_cast<std::int64_t>(logits.size()) / images;
  const DeviceValues<float> device_logits(logits, shift), probability(room(images)), inverse_scale(room(images));
  const DeviceValues<float> seed(room(images * count), shift);
  const DeviceValues<std::int32_t> device_classes(classes);
  REQUIRE(kernels::probability(device_logits.data(), device_classes.data(), images, count, probability.data(),
                               nullptr) == cudaSuccess);
  REQUIRE(kernels::cross_entropy_seed(device_logits.data(), device_classes.data(), images, count, seed.data(),
                                      inverse_scale.data(), nullptr) == cudaSuccess);
  return {probability.values(), seed.values(), inverse_scale.values()};
}

/// One image, whose remainder must not underflow long double.
Loss reference(const Values& logits, std::size_t own) {
  long double largest = -1.0e30L, sum = 0, others = 0;
  for (const double logit : logits) largest = std::max(largest, static_cast<long double>(logit));
  for (std::size_t k = 0; k < logits.size(); ++k) {
    const long double weight = std::exp(static_cast<long double>(logits[k]) - largest);
    sum += weight;
    if (k != own) others += weight;
  }
  int exponent = 0;
  const long double mantissa = std::frexp(others / sum, &exponent);
  if (static_cast<float>(mantissa) >= 1) ++exponent;  // the largest entry is below 1 as float32 has it
  Loss loss{{static_cast<double>(std::exp(static_cast<long double>(logits[own]) - largest) / sum)},
            Values(logits.size()),
            {std::ldexp(1.0, exponent)}};
  for (std::size_t k = 0; k < logits.size(); ++k) {
    const long double weight = std::exp(static_cast<long double>(logits[k]) - largest);
    loss.seed[k] = static_cast<double>(std::ldexp((k == own ? -others : weight) / sum, -exponent));
  }
  return loss;
}

}  // namespace

TEST_CASE("probability and seed, however sure the network is") {
  for (const std::int64_t count : {2, 3, 10, 256, 1000, 1003}) {
    for (const double lead : {-20.0, 0.0, 3.0, 22.0, 80.0, 300.0}) {
      CAPTURE(count);
      CAPTURE(lead);
      const std::int64_t images = 3;
      Values logits = random_values(images * count, 1, -3, 3);
      Values classes;
      for (std::int64_t n = 0; n < images; ++n) {
        classes.push_back(static_cast<double>((n * 5 + 1) % count));
        double& own = logits[static_cast<std::size_t>(n * count) + static_cast<std::size_t>(classes.back())];
        own = static_cast<double>(static_cast<float>(own + lead));
      }
      for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
        const Loss loss = loss_of(logits, classes, shift);
        for (std::int64_t n = 0; n < images; ++n) {
          const auto image = static_cast<std::size_t>(n);
          const Loss expected = reference(part(logits, n * count, count), static_cast<std::size_t>(classes[image]));
          CHECK(loss.probability[image] == doctest::Approx(expected.probability[0]).epsilon(1e-7));
          // Below float32's range the scale is zero and the seed a direction all the same.
          CHECK(loss.inverse_scale[image] == static_cast<double>(static_cast<float>(expected.inverse_scale[0])));
          const Values seed = part(loss.seed, n * count, count);
          CHECK(largest_error(seed, expected.seed) < 1e-7);
          const double largest = std::abs(seed[static_cast<std::size_t>(classes[image])]);
          CHECK(largest >= 0.5);
          CHECK(largest < 1);
        }
      }
    }
  }
}

TEST_CASE("1 − p of 1e-9 leaves a seed with all its digits") {
  const double lead = std::log(1e9);
  const Loss loss = loss_of({0, lead, -1}, {1});
  const double rest = (1 + std::exp(-1.0)) / std::exp(static_cast<double>(static_cast<float>(lead)));
  CHECK(loss.probability[0] == 1);
  CHECK(-loss.seed[1] * loss.inverse_scale[0] == doctest::Approx(rest / (1 + rest)).epsilon(1e-7));
  CHECK(loss.seed[2] / loss.seed[0] == doctest::Approx(std::exp(-1.0)).epsilon(1e-7));
  CHECK(loss.seed[1] == doctest::Approx(-(loss.seed[0] + loss.seed[2])).epsilon(1e-7));
}

TEST_CASE("a remainder that no double holds still has a direction") {
  for (const double lead : {590.0, 610.0, 5000.0, 1e30}) {
    const Loss loss = loss_of({0, lead, 0}, {1});
    CHECK(loss.seed[0] == loss.seed[2]);
    CHECK(loss.seed[1] == -2 * loss.seed[0]);
    CHECK(loss.seed[0] >= 0.25);
    CHECK(loss.seed[1] > -1);
    CHECK(loss.inverse_scale[0] == 0);
  }
  const Loss steep = loss_of({0, 3000, 2000}, {1});
  CHECK(steep.seed[0] == 0);
  CHECK(steep.seed[1] == -steep.seed[2]);
}

TEST_CASE("seeds without any entry, NaN, infinity, and classes that do not exist") {
  const Loss only = loss_of({3}, {0});
  CHECK(only.probability[0] == 1);
  CHECK(same_bits(only.seed, {0}));
  CHECK(only.inverse_scale[0] == 1);
  const Loss certain = loss_of({0, infinity}, {1});
  CHECK(same_bits(certain.seed, {0, 0}));
  CHECK(certain.inverse_scale[0] == 1);
  CHECK(same_bits(loss_of({0, -infinity, -infinity}, {0}).seed, {0, 0, 0}));
  for (const Values& logits : {Values{0, std::nan(""), 1}, Values{std::nan(""), 0, 1}, Values{0, infinity, 1}}) {
    const Loss loss = loss_of(logits, {0});
    for (const double entry : loss.seed) CHECK(std::isnan(entry));
    CHECK(std::isnan(loss.probability[0]));
    CHECK(loss.inverse_scale[0] == 1);
  }
  for (const double own : {-1.0, 3.0}) {
    const Loss loss = loss_of({0, 1, 2}, {own});
    CHECK(std::isnan(loss.probability[0]));
    for (const double entry : loss.seed) CHECK(std::isnan(entry));
  }
}

TEST_CASE("an image's loss has the same bits alone and in company") {
  const std::int64_t images = 5, count = 1000;
  const Values logits = random_values(images * count, 2, -5, 5), classes = {3, 999, 0, 17, 500};
  const Loss together = loss_of(logits, classes);
  for (std::int64_t n = 0; n < images; ++n) {
    const Loss alone = loss_of(part(logits, n * count, count), part(classes, n, 1));
    CHECK(same_bits(alone.probability, part(together.probability, n, 1)));
    CHECK(same_bits(alone.seed, part(together.seed, n * count, count)));
    CHECK(same_bits(alone.inverse_scale, part(together.inverse_scale, n, 1)));
  }
}

}  // namespace blindspot::tests
