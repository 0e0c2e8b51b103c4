// How wide the level set is around a point of a path: confidences at random steps across the walk's direction. Part of
// the public interface; uses the standard library only. Source: Balasubramanian et al., NeurIPS 2023 (arXiv
// 2310.19889), section 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "blindspot/model.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// A point of a path. Images are [3, H, W] in [0, 1] at the network's input size.
struct WidthPoint {
  const Image* image = nullptr;   ///< x
  const Image* target = nullptr;  ///< t
  std::int32_t source_class = 0;
  /// Whose pixels name the stream of random directions, together with the target's: a walk's source. Null: x.
  const Image* source = nullptr;
  std::uint64_t occurrence = 0;  ///< counts repetitions of the same two images, from 0
};

struct WidthOptions {
  std::vector<double> radii = {0.5, 1, 1.5, 2};  ///< L2 lengths, above 0
  std::int64_t directions = 256;                 ///< how many are drawn, where none are given
  /// Raw directions [K, 3, H, W], used for every point instead of drawn ones; each is made orthogonal and scaled.
  const std::vector<float>* given_directions = nullptr;
  float delta = 0.2F;  ///< where p(x) < δ nothing is measured
  std::uint64_t seed = 0;
  WalkMode mode = WalkMode::standard;  ///< reference: J·J = 0 gives NaN, as in the authors' code
  /// Called between passes with the share of all work that is done, from 0 to 1, on the calling thread.
  std::function<void(double share)> progress;

  /// For the records of walks with these parameters.
  static WidthOptions of(const WalkParameters& parameters);

  /// Throws Error(usage) naming the option whose value is out of range.
  void check() const;
};

/// Forward passes at a point: itself, and a step along every direction for each radius.
constexpr std::int64_t passes_of_width(std::int64_t directions, std::size_t radii) {
  return 1 + directions * static_cast<std::int64_t>(radii);
}

/// Quantiles of p(clamp(x + radius·u)) over the directions u, at 5 % and 95 %, by linear interpolation.
struct WidthRadius {
  double radius = 0;
  double q05 = 0, q95 = 0;
};

struct PathWidth {
  float probability = 0;  ///< p(x), of the source's class
  bool measured = false;  ///< false: p(x) < δ, and the quantiles mean nothing
  /// The first has radius 0 and p(clamp(x)) twice.
  std::vector<WidthRadius> radii;
};

/// Directions are Gaussian, made orthogonal to v⊥ = v − J(J·v)/(J·J), v = t − x, and scaled to unit L2; one set for all
/// radii of a point. v⊥ = 0 gives zeros. Confidences are those of the model's own precision; batches are packed across
/// points, and a point's values have the same bits in any company. Throws Error(usage) for options out of range and
/// images or classes that do not fit the network, and Stopped.
std::vector<PathWidth> path_widths(Model& model, std::span<const WidthPoint> points, const WidthOptions& options);

/// Takes the memory that path_widths() needs with these options, where it comes after Model::prepare_walks(). If there
/// is no room for it the batch is halved, and Model::batch() says what is left. Throws Error(device) if not even one
/// slice fits.
void prepare_widths(Model& model, const WidthOptions& options);

}  // namespace blindspot
