// The vision transformer (Dosovitskiy et al. 2021) and DeiT (Touvron et al. 2021), which is the same function: patches,
// class token, position embeddings, pre-norm blocks, a classifier on the class token. Any width, depth, patch and
// square input; the patch embedding may be a convolution stem. Sees layers; declares timm's tensor names.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "engine/layers/token_assembly.h"
#include "engine/networks/architecture.h"
#include "engine/networks/convolution_stem.h"
#include "engine/networks/parameters.h"
#include "engine/networks/prepared_network.h"
#include "engine/networks/transformer_block.h"

namespace blindspot {

class VisionTransformer final : public PreparedNetwork {
 public:
  VisionTransformer(Device& device, const NetworkInput& input, const VisionTransformerDescription& description,
                    const weights::StateDict& state);

  Array forward(const WriteImages& write_images) override;
  void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) override;
  void forget() override;

 private:
  using PatchEmbedding = std::variant<StemConvolution, ConvolutionStem>;
  static PatchEmbedding make_patch_embedding(Device& device, const NetworkInput& input,
                                             const VisionTransformerDescription& description,
                                             const weights::StateDict& state);
  Array embed(const WriteImages& write_images);
  void embedding_gradient(const Array& dpatches, const ReadGradient& read_gradient);

  std::int64_t grid_, width_;
  PatchEmbedding patch_embedding_;
  TokenAssembly token_assembly_;
  std::vector<TransformerBlock> blocks_;
  LayerNormLayer norm_;
  LinearLayer head_;
};

std::vector<weights::TensorDeclaration> declare_vision_transformer(const VisionTransformerDescription& description);

}  // namespace blindspot
