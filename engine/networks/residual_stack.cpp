// Implementation of residual_stack.h.
#include "engine/networks/residual_stack.h"

#include <utility>

namespace blindspot {

ResidualStack::ResidualStack(Device& device, const weights::StateDict& state, const Shape& input,
                             const std::vector<ResidualBlockDescription>& blocks) {
  Shape shape = input;
  for (const ResidualBlockDescription& block : blocks) {
    blocks_.emplace_back(device, state, shape, block);
    shape = blocks_.back().output_shape();
  }
}

Array ResidualStack::forward(Array x, const LayerObserver& observer) {
  for (ResidualBlock& block : blocks_) {
    x = block.forward(std::move(x));
    if (observer) observer(Pass::forward, block.name(), x);
  }
  return x;
}

Array ResidualStack::input_gradient(Array dy, const Array* input_mask, const LayerObserver& observer) {
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    if (observer) observer(Pass::backward, blocks_[i].name(), dy);
    dy = blocks_[i].input_gradient(std::move(dy), i > 0 ? blocks_[i - 1].relu_mask() : input_mask);
  }
  return dy;
}

void ResidualStack::forget() {
  for (ResidualBlock& block : blocks_) block.forget();
}

std::int64_t declare_residual_stack(Declaration& tensors, const std::vector<ResidualBlockDescription>& blocks,
                                    std::int64_t in_channels) {
  for (const ResidualBlockDescription& block : blocks) {
    in_channels = declare_residual_block(tensors, block, in_channels);
  }
  return in_channels;
}

}  // namespace blindspot
