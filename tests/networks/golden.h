// The comparisons with goldens that their README asks for. Uses golden_file.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/golden_file.h"
#include "tests/networks/network_run.h"

namespace blindspot::tests {

/// What a precision may be off by (README, section 5).
struct GoldenTolerance {
  double logits = 0, cross_entropy = 0, forward = 0, backward = 0;
  double gradient_l2 = 0, gradient_max = 0, gradient_median = 0;
};
constexpr GoldenTolerance smooth_fp32{1e-5, 1e-5, 2e-5, 1e-3, 3e-5, 3e-5, 3e-5};
constexpr GoldenTolerance relu_fp32{1e-5, 1e-5, 2e-5, 5e-2, 2e-2, 3e-2, 1e-3};
constexpr GoldenTolerance smooth_bf16{2.2e-2, 1, 0, 0, 7e-2, 7e-2, 4e-2};
constexpr GoldenTolerance relu_bf16{7e-3, 1, 0, 0, 0.35, 0.4, 0.2};
/// These keep three bits more than bf16; a gradient behind ReLUs that flip loses fewer of them.
constexpr GoldenTolerance smooth_fp16{2.8e-3, 0.2, 0, 0, 9e-3, 9e-3, 5e-3};
constexpr GoldenTolerance relu_fp16{9e-4, 0.2, 0, 0, 0.15, 0.2, 0.05};
constexpr GoldenTolerance smooth_tf32 = smooth_fp16;
constexpr GoldenTolerance relu_tf32 = relu_fp16;

/// (i·104729 + 17) mod n.
std::vector<std::size_t> sample_positions(std::size_t count, std::size_t size);

/// Of the first images of a golden, as many as were run: max|Δ| / max|logit| and |Δ ce| / max|logit|; `prefix` "" or
/// "ten.".
void check_logits(const GoldenFile& golden, const std::string& prefix, const NetworkRun& run,
                  const GoldenTolerance& tolerance);
/// gradient.samples and gradient.stats.
void check_gradients(const GoldenFile& golden, const NetworkRun& run, const GoldenTolerance& tolerance);

/// How a layer's golden is to be read where a ReLU is fused into it.
enum class Gating : std::uint8_t {
  none,
  ends_in_relu,      ///< the gradient is taken before the ReLU: compared where the layer's output is positive
  seen_behind_relu,  ///< the golden is from before the ReLU: compared where it is positive, zero elsewhere
};
/// Mean, standard deviation and 16 samples of `values` against forward.`layer` or backward.`layer`.
void check_layer(const GoldenFile& golden, const std::string& pass, const std::string& layer, const LayerValues& values,
                 double tolerance, Gating gating = Gating::none);

}  // namespace blindspot::tests
