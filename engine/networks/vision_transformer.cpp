// Implementation of vision_transformer.h. The last layer norm runs on the class token alone: nothing reads the others.
#include "engine/networks/vision_transformer.h"

#include <utility>

namespace blindspot {

namespace {

std::int64_t grid_size(const VisionTransformerDescription& description) {
  return description.image_size / description.patch;
}

std::string block_name(std::int64_t index) {
  return "blocks." + std::to_string(index);
}

std::vector<TransformerBlock> make_blocks(Device& device, std::int64_t batch,
                                          const VisionTransformerDescription& description,
                                          const weights::StateDict& state) {
  const std::int64_t grid = grid_size(description);
  const TransformerBlockDescription block{batch,
                                          1 + grid * grid,
                                          description.width,
                                          description.heads,
                                          description.mlp_width,
                                          description.layer_norm_epsilon};
  std::vector<TransformerBlock> blocks;
  blocks.reserve(static_cast<std::size_t>(description.depth));
  for (std::int64_t i = 0; i < description.depth; ++i) blocks.emplace_back(device, state, block, block_name(i));
  return blocks;
}

}  // namespace

VisionTransformer::VisionTransformer(Device& device, const NetworkInput& input,
                                     const VisionTransformerDescription& description, const weights::StateDict& state)
    : PreparedNetwork(device, input, description.classes),
      grid_(grid_size(description)),
      width_(description.width),
      patch_embedding_(make_patch_embedding(device, input, description, state)),
      token_assembly_(device, state.read("cls_token"), state.read("pos_embed")),
      blocks_(make_blocks(device, input.batch, description, state)),
      norm_(layer_norm(device, state, "norm", Type::float32, description.layer_norm_epsilon)),
      head_(classifier(device, state, "head", input.batch, description.width, description.classes,
                       device.activation_type())) {}

VisionTransformer::PatchEmbedding VisionTransformer::make_patch_embedding(
    Device& device, const NetworkInput& input, const VisionTransformerDescription& description,
    const weights::StateDict& state) {
  if (description.convolution_stem) {
    return ConvolutionStem(device, input, state, description.width, description.layer_norm_epsilon);
  }
  return StemConvolution(device, input, {description.width, description.patch, description.patch, 0, false},
                         plain_convolution(state, "patch_embed.proj"));
}

Array VisionTransformer::forward(const WriteImages& write_images) {
  forget();
  Array tokens;
  {
    const Array patches = embed(write_images);  // [N, grid, grid, D]
    const Array rows = patches.reshaped({batch(), grid_ * grid_, width_});
    observe(Pass::forward, "patch_embed", rows);
    tokens = token_assembly_.forward(rows);
  }
  observe(Pass::forward, "norm_pre", tokens);  // float32 [N, 1 + grid², D]
  for (TransformerBlock& block : blocks_) {
    tokens = block.forward(std::move(tokens));
    observe(Pass::forward, block.name(), tokens);
  }
  Array x = device().array(Type::float32, {batch(), width_});
  device().class_token(tokens, x);
  x = norm_.forward(x);
  observe(Pass::forward, "norm", x);  // [N, D]
  return head_.forward(x);
}

void VisionTransformer::input_gradient(const Array& dlogits, const ReadGradient& read_gradient) {
  Array dx = head_.input_gradient(dlogits);  // [N, D]
  observe(Pass::backward, "norm", dx);
  dx = norm_.input_gradient(dx);
  Array dtokens = device().array(Type::float32, {batch(), 1 + grid_ * grid_, width_});
  device().class_token_gradient(dx, dtokens);
  dx = Array();
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    observe(Pass::backward, blocks_[i].name(), dtokens);
    dtokens = blocks_[i].input_gradient(std::move(dtokens));
  }
  observe(Pass::backward, "norm_pre", dtokens);
  const Array dpatches = token_assembly_.input_gradient(dtokens);  // [N, grid², D]
  dtokens = Array();
  observe(Pass::backward, "patch_embed", dpatches);
  embedding_gradient(dpatches.reshaped({batch(), grid_, grid_, width_}), read_gradient);
  forget();
}

Array VisionTransformer::embed(const WriteImages& write_images) {
  if (auto* stem = std::get_if<ConvolutionStem>(&patch_embedding_)) return stem->forward(write_images, observer());
  return std::get<StemConvolution>(patch_embedding_).forward(write_images);
}

void VisionTransformer::embedding_gradient(const Array& dpatches, const ReadGradient& read_gradient) {
  if (auto* stem = std::get_if<ConvolutionStem>(&patch_embedding_)) {
    stem->input_gradient(dpatches, read_gradient, observer());
  } else {
    std::get<StemConvolution>(patch_embedding_).input_gradient(dpatches, read_gradient);
  }
}

void VisionTransformer::forget() {
  if (auto* stem = std::get_if<ConvolutionStem>(&patch_embedding_)) stem->forget();
  for (TransformerBlock& block : blocks_) block.forget();
  norm_.forget();
}

std::vector<weights::TensorDeclaration> declare_vision_transformer(const VisionTransformerDescription& description) {
  const std::int64_t width = description.width;
  const std::int64_t grid = grid_size(description);
  Declaration tensors;
  tensors.tensor("cls_token", {1, 1, width});
  tensors.tensor("pos_embed", {1, 1 + grid * grid, width});
  if (description.convolution_stem) {
    declare_convolution_stem(tensors, width);
  } else {
    tensors.convolution("patch_embed.proj", width, 3, description.patch, true);
  }
  for (std::int64_t i = 0; i < description.depth; ++i) {
    declare_transformer_block(tensors, block_name(i), width, description.mlp_width);
  }
  tensors.layer_norm("norm", width);
  tensors.linear("head", description.classes, width);
  return tensors.take();
}

}  // namespace blindspot
