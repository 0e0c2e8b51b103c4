// RMSE and L∞ on values worked out by hand. Uses the public distances.h.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "blindspot/distances.h"

namespace blindspot {
namespace {

TEST_CASE("rmse and linf of two small images") {
  Image a{1, 1, {0.0F, 0.5F, 1.0F}};
  Image b{1, 1, {0.25F, 0.5F, 0.25F}};
  CHECK(rmse(a, b) == doctest::Approx(std::sqrt((0.0625 + 0.5625) / 3)).epsilon(1e-15));
  CHECK(linf(a, b) == 0.75);
  CHECK(rmse(a, a) == 0);
  CHECK(linf(a, a) == 0);
}

TEST_CASE("the sum of squares is kept in double") {
  Image a{1000, 1000, std::vector<float>(3'000'000, 0.1F)};
  Image b{1000, 1000, std::vector<float>(3'000'000, 0.3F)};
  const double difference = static_cast<double>(0.3F) - static_cast<double>(0.1F);
  CHECK(rmse(a, b) == doctest::Approx(difference).epsilon(1e-10));
}

TEST_CASE("NaN is not hidden, and unequal sizes are refused") {
  Image a{1, 1, {std::numeric_limits<float>::quiet_NaN(), 0.0F, 0.0F}};
  Image b{1, 1, {0.0F, 1.0F, 0.0F}};
  CHECK(std::isnan(rmse(a, b)));
  CHECK(std::isnan(linf(a, b)));
  Image c{1, 2, std::vector<float>(6)};
  CHECK_THROWS_AS(rmse(b, c), Error);
  CHECK_THROWS_AS(linf(b, c), Error);
}

}  // namespace
}  // namespace blindspot
