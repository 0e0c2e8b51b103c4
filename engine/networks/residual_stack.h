// Residual blocks one behind the other, from the stem to the pool: what both families of ResNets consist of. Sees
// layers.
#pragma once

#include <vector>

#include "engine/networks/network.h"
#include "engine/networks/residual_block.h"

namespace blindspot {

class ResidualStack {
 public:
  /// `input` is [N, H, W, C]; at least one block.
  ResidualStack(Device& device, const weights::StateDict& state, const Shape& input,
                const std::vector<ResidualBlockDescription>& blocks);

  /// Shows `observer` each block's output.
  Array forward(Array x, const LayerObserver& observer);
  /// dy, before the last block's last ReLU → dx, masked by `input_mask` (null: no ReLU before the first block). Shows
  /// `observer` the gradient at each block's output.
  Array input_gradient(Array dy, const Array* input_mask, const LayerObserver& observer);

  /// Of the last block, for whatever follows.
  const Array* relu_mask() const { return blocks_.back().relu_mask(); }
  void forget();
  Shape output_shape() const { return blocks_.back().output_shape(); }

 private:
  std::vector<ResidualBlock> blocks_;
};

/// Declares the tensors of all blocks; returns the number of channels behind them.
std::int64_t declare_residual_stack(Declaration& tensors, const std::vector<ResidualBlockDescription>& blocks,
                                    std::int64_t in_channels);

}  // namespace blindspot
