// Many points through the network: rows of images that are made on the device, packed into full slices across rows, and
// what the network says of each. Sees Network, Device and arrays only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "engine/device_measures.h"
#include "engine/networks/network.h"

namespace blindspot::levelset {

/// Points that are made together and judged by one class.
struct PointRow {
  std::int64_t points = 0;
  std::int32_t source_class = 0;
};

/// Writes the points of a row from number `first` on into `points` [count, 3, H, W]. Rows come in their order, and the
/// points of a row in theirs.
using MakePoints = std::function<void(std::size_t row, std::int64_t first, Array& points)>;

/// What the network says of a point. The last three only of passes that are made for gradients: ∇ₓ CE(f(x), class) is
/// scale·gradient, [3, H, W], valid during the call, empty in a run without; log_odds = ln(p/(1 − p)), from the logits.
struct PassedPoint {
  std::size_t row = 0;
  std::int64_t point = 0;
  float probability = 0;
  std::span<const float> gradient;
  float scale = 1;  ///< a power of two, above 0
  double log_odds = 0;
};
using UsePoint = std::function<void(const PassedPoint&)>;

/// Takes its arrays when made, so that what comes and goes in `run` lies behind them; whoever makes points does the
/// same. A rehearsal of one point finds the memory of any number.
class PointPasses {
 public:
  PointPasses(Network& network, Device& device, bool gradients);

  /// Slices run at their full shape, empty places grey. `gradients`: false leaves them out of this run. Throws Stopped.
  void run(std::span<const PointRow> rows, const MakePoints& make, const UsePoint& use, const Cancelled& cancelled,
           bool gradients = true);

 private:
  struct Place {
    std::size_t row = 0;
    std::int64_t point = 0;
  };
  void fill(std::span<const PointRow> rows, const MakePoints& make, Place& next);
  void judge(const UsePoint& use, bool gradients);

  Network& network_;
  Device& device_;
  bool gradients_;
  Array points_, classes_, probability_, seed_, inverse_scale_, gradient_;
  std::vector<Place> places_;  // of the points of the slice at hand
  std::vector<std::int32_t> host_classes_;
  std::vector<float> host_probability_, host_scale_, host_gradient_, host_logits_;
};

/// Throws Error(usage) naming `what` unless the image has the network's input size.
void check_image(const Network& network, const Image* image, const char* what);
/// Throws Error(usage) for a class that the network has not.
void check_class(const Network& network, std::int32_t source_class);

}  // namespace blindspot::levelset
