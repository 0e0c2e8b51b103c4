// Distances between two images, accumulated in double in the order of the values. Uses the standard library and fmt.
#include "blindspot/distances.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blindspot/error.h"

namespace blindspot {
namespace {

void check_same_size(const Image& a, const Image& b) {
  if (a.height == b.height && a.width == b.width && a.values.size() == b.values.size()) return;
  throw Error(ErrorKind::usage, fmt::format("images of {}x{} and {}x{} have no distance: bring them to one size",
                                            a.width, a.height, b.width, b.height));
}

double sum_of_squares(const Image& a, const Image& b) {
  check_same_size(a, b);
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

double l2(const Image& a, const Image& b) {
  return std::sqrt(sum_of_squares(a, b));
}

double rmse(const Image& a, const Image& b) {
  return a.values.empty() ? 0.0 : std::sqrt(sum_of_squares(a, b) / static_cast<double>(a.values.size()));
}

double linf(const Image& a, const Image& b) {
  check_same_size(a, b);
  double largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]));
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace blindspot
