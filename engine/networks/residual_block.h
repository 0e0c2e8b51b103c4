// The residual block of He et al. 2016 (figure 2 and figure 5): a branch of convolutions with batch norm folded in,
// added in place to a shortcut, ReLU at the end. Sees layers; used by both families of ResNets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/layers/convolution.h"
#include "engine/networks/parameters.h"
#include "weights/state.h"

namespace blindspot {

/// What goes around the branch: x itself, a 1×1 convolution with batch norm (B), or every second pixel with zero
/// channels around (A).
enum class Shortcut : std::uint8_t { identity, projection, subsample };

struct ResidualBlockDescription {
  struct Step {
    std::int64_t out_channels = 0, kernel = 3, stride = 1;
  };
  std::string name;  ///< "layer1.0"; its convolutions are conv1 …, its norms bn1 …, the projection downsample.0/.1
  std::vector<Step> branch;  ///< every kernel is padded to keep the size
  Shortcut shortcut = Shortcut::identity;
  bool input_has_relu = true;  ///< x comes out of a ReLU, whose mask input_gradient applies
};

class ResidualBlock {
 public:
  /// `input` is [N, H, W, C].
  ResidualBlock(Device& device, const weights::StateDict& state, const Shape& input,
                const ResidualBlockDescription& description);

  /// x [N, H, W, C] → relu(branch(x) + shortcut(x)), [N, H', W', K].
  Array forward(Array x);
  /// dy, before this block's last ReLU → dx, masked by `input_mask` if description.input_has_relu.
  Array input_gradient(Array dy, const Array* input_mask);

  const Array* relu_mask() const { return branch_.back().relu_mask(); }
  void forget();
  Shape output_shape() const { return branch_.back().output_shape(); }
  const std::string& name() const { return name_; }

 private:
  Array shortcut_forward(Array x);
  Array shortcut_gradient(Array dy);

  Device* device_;
  std::string name_;
  Shortcut shortcut_;
  Shape input_;
  std::vector<ConvolutionLayer> branch_;
  std::optional<ConvolutionLayer> projection_;
};

/// Declares the block's tensors; returns the number of channels behind it.
std::int64_t declare_residual_block(Declaration& tensors, const ResidualBlockDescription& block,
                                    std::int64_t in_channels);

}  // namespace blindspot
