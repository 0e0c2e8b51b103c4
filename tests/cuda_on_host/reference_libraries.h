// What cuDNN and cuBLASLt are asked, computed from the very descriptions in double precision: rounded where a real
// output is stored, and nowhere else but to TF32 where products may be. Checks sizes, strides, alignment, memory and
// workspace. May use engine/cuda's descriptions and the host execution.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/cuda/math_libraries.h"

namespace blindspot::tests {

struct ReferenceOptions {
  bool fused_convolutions = true;  ///< whether a convolution may be followed by others in its graph
  bool attention = true;           ///< whether attention is supported (in 16-bit types)
  /// Number of the way that is the fastest, counted round; none: one or another, as a hash of what it is for has it.
  /// Where it cannot be made the next one is.
  std::optional<std::size_t> way = std::nullopt;
};

/// How often what was computed, replays of captured work included.
struct ReferenceCounters {
  std::int64_t plain_convolutions = 0, fused_convolutions = 0, convolution_gradients = 0, fused_gradients = 0;
  std::int64_t attentions = 0, attention_gradients = 0, products = 0;
  std::array<std::int64_t, 4> ways{};  ///< how often each was said to be the fastest
};

class ReferenceLibraries final : public cuda::MathLibraries {
 public:
  explicit ReferenceLibraries(const ReferenceOptions& options = {});

  std::string description() const override;
  bool supports(const cuda::GraphDescription& graph) override;
  std::unique_ptr<cuda::GraphPlan> plan(const cuda::GraphDescription& graph, std::size_t workspace_limit) override;
  std::unique_ptr<cuda::ProductPlan> plan(const cuda::ProductDescription& product,
                                          std::size_t workspace_limit) override;
  std::size_t fastest(const std::string& what, const std::vector<cuda::TrialArray>& arrays,
                      std::span<const cuda::WayMaker> ways) override;
  const ReferenceCounters& counters() const { return *counters_; }

 private:
  ReferenceOptions options_;
  std::shared_ptr<ReferenceCounters> counters_;
};

}  // namespace blindspot::tests
