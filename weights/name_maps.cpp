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

constexpr std::array<Renaming, 5> torchvision_transformer = {{{"class_token", "cls_token"},
                                                              {"encoder.pos_embedding", "pos_embed"},
                                                              {"conv_proj.", "patch_embed.proj."},
                                                              {"encoder.ln.", "norm."},
                                                              {"heads.head.", "head."}}};

constexpr std::string_view torchvision_block = "encoder.layers.encoder_layer_";
// Behind the block's number; linear_1 and linear_2 are names of old files.
constexpr std::array<Renaming, 8> torchvision_in_block = {{{"ln_1.", "norm1."},
                                                           {"ln_2.", "norm2."},
                                                           {"self_attention.in_proj_", "attn.qkv."},
                                                           {"self_attention.out_proj.", "attn.proj."},
                                                           {"mlp.0.", "mlp.fc1."},
                                                           {"mlp.3.", "mlp.fc2."},
                                                           {"mlp.linear_1.", "mlp.fc1."},
                                                           {"mlp.linear_2.", "mlp.fc2."}}};

// Behind `vit.` or `deit.`.
constexpr std::array<Renaming, 4> hugging_face_transformer = {
    {{"embeddings.cls_token", "cls_token"},
     {"embeddings.position_embeddings", "pos_embed"},
     {"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
     {"layernorm.", "norm."}}};

constexpr std::string_view hugging_face_block = "encoder.layer.";
constexpr std::array<Renaming, 8> hugging_face_in_block = {{{"layernorm_before.", "norm1."},
                                                            {"layernorm_after.", "norm2."},
                                                            {"attention.attention.query.", "attn.qkv.", 0, 3},
                                                            {"attention.attention.key.", "attn.qkv.", 1, 3},
                                                            {"attention.attention.value.", "attn.qkv.", 2, 3},
                                                            {"attention.output.dense.", "attn.proj."},
                                                            {"intermediate.dense.", "mlp.fc1."},
                                                            {"output.dense.", "mlp.fc2."}}};

// The classifiers have no prefix; ResNet's stands behind a flattening layer 0.
constexpr std::array<Renaming, 4> hugging_face_plain = {{{"resnet.embedder.embedder.convolution.", "conv1."},
                                                         {"resnet.embedder.embedder.normalization.", "bn1."},
                                                         {"classifier.1.", "fc."},
                                                         {"classifier.", "head."}}};

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

std::optional<CanonicalName> hugging_face_transformer_name(std::string_view name) {
  for (const std::string_view prefix : {"vit.", "deit."}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view inner = name.substr(prefix.size());
    if (auto found = renamed(inner, hugging_face_transformer)) return found;
    return renamed_in_block(inner, hugging_face_block, hugging_face_in_block);
  }
  return std::nullopt;
}

/// resnet.encoder.stages.S.layers.B.{layer.N | shortcut}.{convolution | normalization}.* becomes
/// layer(S+1).B.{conv(N+1) | bn(N+1) | downsample.0 | downsample.1}.*
std::optional<CanonicalName> hugging_face_resnet_block(std::string_view name) {
  constexpr std::string_view stages_prefix = "resnet.encoder.stages.", layers_prefix = "layers.",
                             layer_prefix = "layer.";
  constexpr std::string_view shortcut_prefix = "shortcut.", convolution_prefix = "convolution.",
                             norm_prefix = "normalization.";
  if (!name.starts_with(stages_prefix)) return std::nullopt;
  name.remove_prefix(stages_prefix.size());
  const std::string_view stage = take_number(name);
  if (stage.size() != 1 || !name.starts_with(layers_prefix)) return std::nullopt;
  name.remove_prefix(layers_prefix.size());
  const std::string_view block = take_number(name);
  if (block.empty()) return std::nullopt;
  std::string convolution = "downsample.0.", norm = "downsample.1.";
  if (name.starts_with(layer_prefix)) {
    name.remove_prefix(layer_prefix.size());
    const std::string_view number = take_number(name);
    if (number.size() != 1) return std::nullopt;
    const std::string next(1, static_cast<char>(number[0] + 1));
    convolution = "conv" + next + ".";
    norm = "bn" + next + ".";
  } else if (name.starts_with(shortcut_prefix)) {
    name.remove_prefix(shortcut_prefix.size());
  } else {
    return std::nullopt;
  }
  const bool is_convolution = name.starts_with(convolution_prefix);
  if (!is_convolution && !name.starts_with(norm_prefix)) return std::nullopt;
  const std::string_view rest = name.substr(is_convolution ? convolution_prefix.size() : norm_prefix.size());
  const std::string layer = "layer" + std::string(1, static_cast<char>(stage[0] + 1));
  return CanonicalName{layer + "." + std::string(block) + "." + (is_convolution ? convolution : norm) +
                       std::string(rest)};
}

}  // namespace

std::string_view without_prefixes(std::string_view name) {
  constexpr std::array<std::string_view, 3> prefixes = {"module.", "model.", "_orig_mod."};
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view prefix : prefixes) {
      if (name.starts_with(prefix) && name.size() > prefix.size()) {
        name.remove_prefix(prefix.size());
        stripped = true;
      }
    }
  }
  return name;
}

bool is_companion(std::string_view name) {
  constexpr std::array<std::string_view, 8> prefixes = {"attacker.",  "normalize.",  "normalizer.", "normalization.",
                                                        "optimizer.", "sub_block1.", "vit.pooler.", "deit.pooler."};
  constexpr std::array<std::string_view, 4> statistics_names = {"mean", "std", "mu", "sigma"};
  return name.ends_with("num_batches_tracked") ||
         std::find(statistics_names.begin(), statistics_names.end(), name) != statistics_names.end() ||
         std::any_of(prefixes.begin(), prefixes.end(), [name](auto prefix) { return name.starts_with(prefix); });
}

CanonicalName canonical_name(std::string_view name, bool is_hugging_face) {
  std::optional<CanonicalName> found;
  if (is_hugging_face) {
    found = renamed(name, hugging_face_plain);
    if (!found) found = hugging_face_transformer_name(name);
    if (!found) found = hugging_face_resnet_block(name);
  } else {
    found = renamed(name, torchvision_transformer);
    if (!found) found = renamed_in_block(name, torchvision_block, torchvision_in_block);
  }
  return found ? *found : CanonicalName{std::string(name)};
}

}  // namespace blindspot::weights
