// Distances between two images: L2, RMSE, L∞, SSIM and LPIPS. Part of the public interface; uses the standard library
// only.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"
#include "blindspot/walk.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// √Σ(a − b)² over all n = 3·H·W values, accumulated in double. Images of unequal size: Error(usage), here and below.
double l2(const Image& a, const Image& b);
/// L2/√n.
double rmse(const Image& a, const Image& b);
/// Largest absolute difference.
double linf(const Image& a, const Image& b);

/// Two images [3, H, W] of one size, in [0, 1].
struct ImagePair {
  const Image* first = nullptr;
  const Image* second = nullptr;
};

struct Distances {
  double l2 = 0, rmse = 0, linf = 0;
  /// Mean structural similarity (Wang et al. 2004; data range 1, 11-tap Gaussian of deviation 1.5, k₁ 0.01, k₂ 0.03).
  /// None where a side is too small: below 6 pixels, in mode reference below 11.
  std::optional<double> ssim;
  /// Learned perceptual distance (Zhang et al. 2018, AlexNet, version 0.1). None without a file of its weights, and
  /// where a side is below 31 pixels.
  std::optional<double> lpips;
  std::vector<double> lpips_layers;  ///< the five terms whose sum `lpips` is; empty where that is none
};

struct DistanceOptions {
  std::string device = "auto";  ///< auto | cpu | cuda[:N]
  int threads = 0;              ///< 0: all cores
  /// What `weights convert ALEXNET --lpips-heads HEADS` writes; empty: no LPIPS.
  std::filesystem::path lpips;
  /// Reference: SSIM is averaged without the 5 pixels at each edge, as torchmetrics did up to 1.4.
  WalkMode mode = WalkMode::standard;
  Cancelled cancelled;  ///< asked between batches: `measure` then throws Stopped
};

/// Measures many pairs; SSIM and LPIPS on a device, in fp32 whatever a network runs in. A pair's values have the same
/// bits in any company. Not for two threads at once.
class DistanceMeasure {
 public:
  /// Reads the LPIPS file, if one is named, and takes the device. Throws Error(usage|input|device).
  static DistanceMeasure open(const DistanceOptions& options = {});
  DistanceMeasure(DistanceMeasure&&) noexcept;
  DistanceMeasure& operator=(DistanceMeasure&&) noexcept;
  ~DistanceMeasure();

  /// Takes the device memory for pairs of this size, so that none is wanting after hours of walking; `measure` does it
  /// by itself otherwise. Where there is no room, fewer pairs go at a time. Throws Error(device) if one has no room.
  void prepare(int height, int width);
  /// One entry for each pair, in their order. Throws Error(usage) for two images of unequal size, and Stopped.
  std::vector<Distances> measure(std::span<const ImagePair> pairs);
  /// Of the LPIPS file; empty where none was named.
  const std::string& lpips_sha256() const;

 private:
  struct Implementation;
  explicit DistanceMeasure(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace blindspot
