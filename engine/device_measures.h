// What a device computes for the measures of the level set: points mixed from images or lying across a walk's
// direction, and distances between images. Reached by Device::measures, apart from the operations of networks and
// walks. Formulas stand here once, and hold for every device; conventions are those of device.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/device.h"

namespace blindspot {

/// Names a stream of random words: word i is word i mod 4 of the Philox4x32-10 block with the counter (⌊i/4⌋,
/// `counter`) under `key`.
struct RandomStream {
  std::array<std::uint32_t, 2> key{};
  std::array<std::uint32_t, 3> counter{};
};

enum class SsimMean : std::uint8_t { whole, interior };

class Measures {
 public:
  virtual ~Measures() = default;

  /// points[p] = Σ_j weights[p, j]·images[j], j ascending, in double and rounded once to float32; images float32
  /// [vertices, …], weights [points, vertices] row-major, points float32 [points, …]. `clamp`: to [0, 1].
  virtual void mix_points(const Array& images, std::span<const double> weights, bool clamp, Array& points) = 0;
  /// Standard normal values by Box–Muller in double, rounded once to float32 (levelset/philox.h): the same bits on
  /// every device.
  virtual void gaussian(const RandomStream& stream, Array& values) = 0;
  /// factors[k] = (a, b), doubles seen as float32 [K, 4], with u = a·d_k − b·v the direction d_k of `directions` [K, …]
  /// made orthogonal to v and scaled to unit length. Zeros where v is 0 or d_k lies along v.
  virtual void width_factors(const Array& directions, const Array& v, Array& factors) = 0;
  /// points[k] = clamp(x + radius·u_k, 0, 1), formed in double and rounded once; x and v one image, directions and
  /// points [K, …].
  virtual void width_points(const Array& x, const Array& v, const Array& directions, const Array& factors,
                            double radius, Array& points) = 0;
  /// result[n] = structural similarity of a[n] and b[n], float32 [N, C, H, W] with data range 1, in double: 11 taps
  /// exp(−k²/(2·1.5²)), edges mirrored without repeating them, mean over channels and pixels. `whole`: every pixel,
  /// variances clamped at 0, sides of 6 at least; `interior`: without 5 pixels at each edge, not clamped, sides of 11.
  virtual void ssim(const Array& a, const Array& b, SsimMean mean, std::span<double> result) = 0;
  /// result[n] = mean over pixels of Σ_c weight[c]·(â_c − b̂_c)², â = a/(√Σa² + 1e-10) over channels and b̂ alike, in
  /// double; a and b [N, H, W, C] in the activation type, weight float32 [C]. One layer's term of LPIPS.
  virtual void lpips_difference(const Array& a, const Array& b, const Array& weight, std::span<double> result) = 0;
};

}  // namespace blindspot
