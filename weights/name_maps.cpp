// The name maps as tables: for ViT torchvision's and Hugging Face's names to timm's, for ResNet Hugging Face's to
// torchvision's. Uses the standard library.
#include "weights/name_maps.h"

#include <algorithm>
#include <array>
#include <span>

namespace blindspot::weights {
namespace {

/// `from` at the start of a name becomes `to`.
struct Renaming {
  std::string_view from, to;
  int part = 0, parts = 1;
};

constexpr std::array<Renaming, 5> kTorchvisionTransformer = {{{"class_token", "cls_token"},
                                                              {"encoder.pos_embedding", "pos_embed"},
                                                              {"conv_proj.", "patch_embed.proj."},
                                                              {"encoder.ln.", "norm."},
                                                              {"heads.head.", "head."}}};

constexpr std::string_view kTorchvisionBlock = "encoder.layers.encoder_layer_";
// Behind the block's number; linear_1 and linear_2 are names of old files.
constexpr std::array<Renaming, 8> kTorchvisionInBlock = {{{"ln_1.", "norm1."},
                                                          {"ln_2.", "norm2."},
                                                          {"self_attention.in_proj_", "attn.qkv."},
                                                          {"self_attention.out_proj.", "attn.proj."},
                                                          {"mlp.0.", "mlp.fc1."},
                                                          {"mlp.3.", "mlp.fc2."},
                                                          {"mlp.linear_1.", "mlp.fc1."},
                                                          {"mlp.linear_2.", "mlp.fc2."}}};

constexpr std::array<Renaming, 5> kHuggingFaceTransformer = {
    {{"vit.embeddings.cls_token", "cls_token"},
     {"vit.embeddings.position_embeddings", "pos_embed"},
     {"vit.embeddings.patch_embeddings.projection.", "patch_embed.proj."},
     {"vit.layernorm.", "norm."},
     {"classifier.", "head."}}};

constexpr std::string_view kHuggingFaceBlock = "vit.encoder.layer.";
constexpr std::array<Renaming, 8> kHuggingFaceInBlock = {{{"layernorm_before.", "norm1."},
                                                          {"layernorm_after.", "norm2."},
                                                          {"attention.attention.query.", "attn.qkv.", 0, 3},
                                                          {"attention.attention.key.", "attn.qkv.", 1, 3},
                                                          {"attention.attention.value.", "attn.qkv.", 2, 3},
                                                          {"attention.output.dense.", "attn.proj."},
                                                          {"intermediate.dense.", "mlp.fc1."},
                                                          {"output.dense.", "mlp.fc2."}}};

constexpr std::array<Renaming, 3> kHuggingFaceResNet = {{{"resnet.embedder.embedder.convolution.", "conv1."},
                                                         {"resnet.embedder.embedder.normalization.", "bn1."},
                                                         {"classifier.1.", "fc."}}};

std::optional<CanonicalName> renamed(std::string_view name, std::span<const Renaming> renamings) {
  for (const Renaming& renaming : renamings) {
    if (name.starts_with(renaming.from)) {
      return CanonicalName{std::string(renaming.to) + std::string(name.substr(renaming.from.size())), renaming.part,
                           renaming.parts};
    }
  }
  return std::nullopt;
}

/// Digits at the start of `text`, which loses them and the dot behind; empty if it does not begin so.
std::string_view take_number(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
  if (length == 0 || length == text.size() || text[length] != '.') return {};
  const std::string_view number = text.substr(0, length);
  text.remove_prefix(length + 1);
  return number;
}

std::optional<CanonicalName> renamed_in_block(std::string_view name, std::string_view block,
                                              std::span<const Renaming> renamings) {
  if (!name.starts_with(block)) return std::nullopt;
  name.remove_prefix(block.size());
  const std::string_view number = take_number(name);
  if (number.empty()) return std::nullopt;
  auto inner = renamed(name, renamings);
  if (inner) inner->name = "blocks." + std::string(number) + "." + inner->name;
  return inner;
}

/// resnet.encoder.stages.S.layers.B.{layer.N | shortcut}.{convolution | normalization}.* becomes
/// layer(S+1).B.{conv(N+1) | bn(N+1) | downsample.0 | downsample.1}.*
std::optional<CanonicalName> hugging_face_resnet_block(std::string_view name) {
  constexpr std::string_view kStages = "resnet.encoder.stages.", kLayers = "layers.", kLayer = "layer.";
  constexpr std::string_view kShortcut = "shortcut.", kConvolution = "convolution.", kNorm = "normalization.";
  if (!name.starts_with(kStages)) return std::nullopt;
  name.remove_prefix(kStages.size());
  const std::string_view stage = take_number(name);
  if (stage.size() != 1 || !name.starts_with(kLayers)) return std::nullopt;
  name.remove_prefix(kLayers.size());
  const std::string_view block = take_number(name);
  if (block.empty()) return std::nullopt;
  std::string convolution = "downsample.0.", norm = "downsample.1.";
  if (name.starts_with(kLayer)) {
    name.remove_prefix(kLayer.size());
    const std::string_view number = take_number(name);
    if (number.size() != 1) return std::nullopt;
    const std::string next(1, static_cast<char>(number[0] + 1));
    convolution = "conv" + next + ".";
    norm = "bn" + next + ".";
  } else if (name.starts_with(kShortcut)) {
    name.remove_prefix(kShortcut.size());
  } else {
    return std::nullopt;
  }
  const bool is_convolution = name.starts_with(kConvolution);
  if (!is_convolution && !name.starts_with(kNorm)) return std::nullopt;
  const std::string_view rest = name.substr(is_convolution ? kConvolution.size() : kNorm.size());
  const std::string layer = "layer" + std::string(1, static_cast<char>(stage[0] + 1));
  return CanonicalName{layer + "." + std::string(block) + "." + (is_convolution ? convolution : norm) +
                       std::string(rest)};
}

}  // namespace

std::string_view without_prefixes(std::string_view name) {
  constexpr std::array<std::string_view, 3> kPrefixes = {"module.", "model.", "_orig_mod."};
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view prefix : kPrefixes) {
      if (name.starts_with(prefix) && name.size() > prefix.size()) {
        name.remove_prefix(prefix.size());
        stripped = true;
      }
    }
  }
  return name;
}

bool is_companion(std::string_view name) {
  constexpr std::array<std::string_view, 7> kPrefixes = {"attacker.",  "normalize.",  "normalizer.", "normalization.",
                                                         "optimizer.", "sub_block1.", "vit.pooler."};
  constexpr std::array<std::string_view, 4> kNames = {"mean", "std", "mu", "sigma"};
  return name.ends_with("num_batches_tracked") || std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(), [name](auto prefix) { return name.starts_with(prefix); });
}

CanonicalName canonical_name(std::string_view name, bool is_hugging_face) {
  std::optional<CanonicalName> found;
  if (is_hugging_face) {
    found = renamed(name, kHuggingFaceResNet);
    if (!found) found = renamed(name, kHuggingFaceTransformer);
    if (!found) found = renamed_in_block(name, kHuggingFaceBlock, kHuggingFaceInBlock);
    if (!found) found = hugging_face_resnet_block(name);
  } else {
    found = renamed(name, kTorchvisionTransformer);
    if (!found) found = renamed_in_block(name, kTorchvisionBlock, kTorchvisionInBlock);
  }
  return found ? *found : CanonicalName{std::string(name)};
}

}  // namespace blindspot::weights
