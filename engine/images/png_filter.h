// The five row filters of PNG (specification, section 9), for writing and for checking. Uses the standard library only.
#pragma once

#include <cstdlib>

namespace blindspot::images {

/// Paeth's predictor: whichever of the three is nearest to left + above − above_left.
inline int paeth_predictor(int left, int above, int above_left) {
  const int estimate = left + above - above_left;
  const int to_left = std::abs(estimate - left), to_above = std::abs(estimate - above);
  const int to_above_left = std::abs(estimate - above_left);
  if (to_left <= to_above && to_left <= to_above_left) return left;
  return to_above <= to_above_left ? above : above_left;
}

/// What filter type 0 … 4 subtracts from a byte, given the bytes one pixel to the left, above, and both (0 outside).
inline int predicted_by_filter(int filter, int left, int above, int above_left) {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return (left + above) / 2;
    case 4:
      return paeth_predictor(left, above, above_left);
    default:
      return 0;
  }
}

}  // namespace blindspot::images
