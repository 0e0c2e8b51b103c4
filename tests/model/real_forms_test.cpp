// Weight files in the forms in which projects publish them, made here from the rule: names of Hugging Face, torchvision
// and timm, prefixes and companions of RobustBench. Each must open as the very network whose tensors were written.
#include <fmt/format.h>

#include <functional>
#include <memory>

#include "engine/networks/architecture.h"
#include "tests/model/small_folder.h"
#include "weights/rule.h"

namespace blindspot::tests {

namespace {

struct MadeTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

std::vector<MadeTensor> rule_made(const Architecture& architecture) {
  std::vector<MadeTensor> tensors;
  for (const weights::TensorDeclaration& tensor : declare(architecture)) {
    tensors.push_back({tensor.name, tensor.shape, weights::rule_tensor(tensor, 1, rule_gains(architecture))});
  }
  return tensors;
}

std::string sha256_of(const Architecture& architecture) {
  return rule_state(architecture, 1).sha256();
}

void write(const std::filesystem::path& file, const std::vector<MadeTensor>& tensors) {
  std::vector<NamedFloatTensor> to_write;
  to_write.reserve(tensors.size());
  for (const MadeTensor& tensor : tensors) to_write.push_back({tensor.name, tensor.shape, tensor.values});
  write_float_tensors(file, {}, to_write);
}

/// The first of `renamings` whose left side begins `name` gives its beginning; a name that none fits stays.
std::string renamed(const std::string& name, const std::vector<std::pair<std::string, std::string>>& renamings) {
  for (const auto& [from, to] : renamings) {
    if (name.starts_with(from)) return to + name.substr(from.size());
  }
  return name;
}

/// "blocks.3.attn.…" → {"3", "attn.…"}; empty for other names.
std::pair<std::string, std::string> block_and_rest(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return {};
  const std::size_t dot = name.find('.', prefix.size());
  return {name.substr(prefix.size(), dot - prefix.size()), name.substr(dot + 1)};
}

Architecture small_transformer() {
  VisionTransformerDescription vit;
  vit.width = 64;
  vit.depth = 2;
  vit.heads = 1;
  vit.patch = 4;
  vit.mlp_width = 128;
  vit.classes = 5;
  vit.image_size = 16;
  return {architecture_name(vit), vit};
}

Architecture small_resnet(bool bottleneck) {
  const ResNetDescription resnet{bottleneck, {1, 2, 1, 1}, 64, 7};
  return {architecture_name(resnet), resnet};
}

void check_is(const ModelSource& source, const Architecture& architecture) {
  CHECK(source.architecture.description == architecture.description);
  CHECK(source.information.architecture == architecture.name);
  CHECK_NOTHROW(source.state.check(architecture.name, declare(architecture)));
  CHECK(source.state.sha256() == sha256_of(architecture));
}

std::string torchvision_name(const std::string& name) {
  const auto [block, rest] = block_and_rest(name, "blocks.");
  if (!block.empty()) {
    return "encoder.layers.encoder_layer_" + block + "." +
           renamed(rest, {{"norm1.", "ln_1."},
                          {"norm2.", "ln_2."},
                          {"attn.qkv.", "self_attention.in_proj_"},
                          {"attn.proj.", "self_attention.out_proj."},
                          {"mlp.fc1.", "mlp.0."},
                          {"mlp.fc2.", "mlp.3."}});
  }
  return renamed(name, {{"cls_token", "class_token"},
                        {"pos_embed", "encoder.pos_embedding"},
                        {"patch_embed.proj.", "conv_proj."},
                        {"norm.", "encoder.ln."},
                        {"head.", "heads.head."}});
}

std::string hugging_face_transformer_name(const std::string& name) {
  const auto [block, rest] = block_and_rest(name, "blocks.");
  if (!block.empty()) {
    return "vit.encoder.layer." + block + "." +
           renamed(rest, {{"norm1.", "layernorm_before."},
                          {"norm2.", "layernorm_after."},
                          {"attn.proj.", "attention.output.dense."},
                          {"mlp.fc1.", "intermediate.dense."},
                          {"mlp.fc2.", "output.dense."}});
  }
  return renamed(name, {{"cls_token", "vit.embeddings.cls_token"},
                        {"pos_embed", "vit.embeddings.position_embeddings"},
                        {"patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."},
                        {"norm.", "vit.layernorm."},
                        {"head.", "classifier."}});
}

/// query, key and value are tensors of their own there.
std::vector<MadeTensor> split_in_three(const MadeTensor& qkv) {
  const auto [block, rest] = block_and_rest(qkv.name, "blocks.");
  const std::string suffix = rest.substr(std::string("attn.qkv.").size());
  std::vector<MadeTensor> parts;
  for (const char* part : {"query", "key", "value"}) {
    const std::size_t count = qkv.values.size() / 3;
    const auto first = qkv.values.begin() + static_cast<std::ptrdiff_t>(parts.size() * count);
    std::vector<std::int64_t> shape = qkv.shape;
    shape[0] /= 3;
    parts.push_back({fmt::format("vit.encoder.layer.{}.attention.attention.{}.{}", block, part, suffix),
                     shape,
                     {first, first + static_cast<std::ptrdiff_t>(count)}});
  }
  return parts;
}

std::string hugging_face_resnet_name(const std::string& name) {
  for (const char stage : {'1', '2', '3', '4'}) {
    const auto [block, rest] = block_and_rest(name, std::string("layer") + stage + ".");
    if (block.empty()) continue;
    const std::string layer =
        "resnet.encoder.stages." + std::string(1, static_cast<char>(stage - 1)) + ".layers." + block;
    return layer + "." +
           renamed(rest, {{"conv1.", "layer.0.convolution."},
                          {"bn1.", "layer.0.normalization."},
                          {"conv2.", "layer.1.convolution."},
                          {"bn2.", "layer.1.normalization."},
                          {"conv3.", "layer.2.convolution."},
                          {"bn3.", "layer.2.normalization."},
                          {"downsample.0.", "shortcut.convolution."},
                          {"downsample.1.", "shortcut.normalization."}});
  }
  return renamed(name, {{"conv1.", "resnet.embedder.embedder.convolution."},
                        {"bn1.", "resnet.embedder.embedder.normalization."},
                        {"fc.", "classifier.1."}});
}

}  // namespace

TEST_CASE("a vision transformer as timm and as torchvision name it") {
  const TemporaryFolder folder;
  const Architecture architecture = small_transformer();
  std::vector<MadeTensor> tensors = rule_made(architecture);
  write(folder.path() / "timm.safetensors", tensors);
  check_is(opened(folder.path() / "timm.safetensors"), architecture);
  for (MadeTensor& tensor : tensors) tensor.name = torchvision_name(tensor.name);
  write(folder.path() / "torchvision.safetensors", tensors);
  check_is(opened(folder.path() / "torchvision.safetensors"), architecture);
}

TEST_CASE("a vision transformer in a folder of Hugging Face") {
  const TemporaryFolder folder;
  Architecture architecture = small_transformer();
  auto& description = std::get<VisionTransformerDescription>(architecture.description);
  std::vector<MadeTensor> tensors;
  for (MadeTensor& tensor : rule_made(architecture)) {
    if (tensor.name.find("attn.qkv.") == std::string::npos) {
      tensor.name = hugging_face_transformer_name(tensor.name);
      tensors.push_back(std::move(tensor));
    } else {
      for (MadeTensor& part : split_in_three(tensor)) tensors.push_back(std::move(part));
    }
  }
  tensors.push_back({"vit.pooler.dense.weight", {2, 2}, {1, 2, 3, 4}});
  write(folder.path() / "model.safetensors", tensors);
  folder.write("config.json", R"({"architectures": ["ViTForImageClassification"], "num_attention_heads": 4,
    "layer_norm_eps": 1e-05, "id2label": {"0": "ant", "1": "bee", "2": "cat", "3": "dog", "4": "elk"}})");
  folder.write("preprocessor_config.json", R"({"size": {"height": 16, "width": 16}, "resample": 2,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5]})");
  description.heads = 4;
  description.layer_norm_epsilon = 1e-5F;
  architecture.name = architecture_name(description);
  const ModelSource source = opened(folder.path());
  check_is(source, architecture);
  CHECK(source.information.classes == std::vector<std::string>{"ant", "bee", "cat", "dog", "elk"});
  CHECK(source.information.preprocessing.deviation == std::array<float, 3>{0.25F, 0.5F, 0.5F});
  CHECK_FALSE(source.information.preprocessing_assumed);
  CHECK(source.information.assumed_heads == 0);
}

TEST_CASE("residual networks in a folder of Hugging Face") {
  for (const bool bottleneck : {false, true}) {
    CAPTURE(bottleneck);
    const TemporaryFolder folder;
    const Architecture architecture = small_resnet(bottleneck);
    std::vector<MadeTensor> tensors = rule_made(architecture);
    for (MadeTensor& tensor : tensors) tensor.name = hugging_face_resnet_name(tensor.name);
    tensors.push_back({"resnet.embedder.embedder.normalization.num_batches_tracked", {1}, {7}});
    write(folder.path() / "model.safetensors", tensors);
    folder.write("config.json", R"({"architectures": ["ResNetForImageClassification"]})");
    check_is(opened(folder.path()), architecture);
  }
}

TEST_CASE("a folder of timm") {
  const TemporaryFolder folder;
  const Architecture architecture = small_resnet(false);
  write(folder.path() / "model.safetensors", rule_made(architecture));
  folder.write("config.json", R"({"architecture": "resnet18", "label_names": ["a", "b", "c", "d", "e", "f", "g"],
    "pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 0.8, "mean": [0.5, 0.5, 0.5]}})");
  const ModelSource source = opened(folder.path());
  check_is(source, architecture);
  CHECK(source.information.classes == std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"});
  CHECK(source.information.preprocessing.resize == 40);
  CHECK(source.information.preprocessing.mean == std::array<float, 3>{0.5F, 0.5F, 0.5F});
  CHECK_FALSE(source.information.preprocessing_assumed);
}

TEST_CASE("prefixes and companions of RobustBench and of robust training") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "robust.safetensors";
  const Architecture wide = architecture_named("wrn_10_1");
  for (const char* prefix : {"", "module.", "model.", "module.model.", "_orig_mod.module."}) {
    CAPTURE(prefix);
    std::vector<MadeTensor> tensors = rule_made(wide);
    for (MadeTensor& tensor : tensors) tensor.name = prefix + tensor.name;
    // WideResNet of TRADES holds a copy of its first block that no forward pass uses.
    tensors.push_back({std::string(prefix) + "sub_block1.layer.0.conv1.weight", {1}, {1}});
    for (const char* constant : {"mu", "sigma", "mean", "std", "normalize.mean"}) {
      tensors.push_back({prefix + std::string(constant), {3}, {0.5F, 0.5F, 0.5F}});
    }
    write(file, tensors);
    check_is(opened(file), wide);
  }
  // MadryLab's robustness library: the network twice, once as the attacker's.
  const Architecture resnet = small_resnet(true);
  std::vector<MadeTensor> tensors;
  for (const MadeTensor& tensor : rule_made(resnet)) {
    tensors.push_back({"module.model." + tensor.name, tensor.shape, tensor.values});
    tensors.push_back({"module.attacker.model." + tensor.name, tensor.shape, std::vector<float>(tensor.values.size())});
  }
  tensors.push_back({"module.normalizer.new_mean", {3}, {0.5F, 0.5F, 0.5F}});
  write(file, tensors);
  check_is(opened(file), resnet);
}

}  // namespace blindspot::tests
