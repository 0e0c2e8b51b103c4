// Name maps, joining of query, key and value, checking, digests and batch-norm folding, on files made here.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <memory>

#include "../shared_material.h"
#include "weight_fixtures.h"
#include "weights/name_maps.h"
#include "weights/safetensors_writer.h"

namespace blindspot::tests {
namespace {

using weights::StateDict;
using weights::TensorDeclaration;
using weights::WeightFile;

/// A safetensors file in memory: tensors of the given shapes, counting up from `first`.
class MadeFile {
 public:
  void add(const std::string& name, const std::vector<std::int64_t>& shape, float first = 0) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const std::size_t begin = data_.size();
    for (std::int64_t i = 0; i < count; ++i) data_.push_back(first + static_cast<float>(i));
    header_[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin * 4, data_.size() * 4}}};
  }

  StateDict state() {
    const std::string header = header_.dump();
    const std::uint64_t length = header.size();
    const auto append = [this](std::span<const std::byte> part) {
      bytes_.insert(bytes_.end(), part.begin(), part.end());
    };
    append(std::as_bytes(std::span(&length, 1)));
    append(std::as_bytes(std::span(header)));
    append(std::as_bytes(std::span(data_)));
    return StateDict::from_file(std::make_shared<const WeightFile>(WeightFile::from_memory("made", bytes_)));
  }

 private:
  nlohmann::json header_ = nlohmann::json::object();
  std::vector<float> data_;
  std::vector<std::byte> bytes_;
};

TEST_CASE("names of other projects") {
  const std::vector<std::array<std::string, 2>> torchvision = {
      {"class_token", "cls_token"},
      {"encoder.pos_embedding", "pos_embed"},
      {"conv_proj.weight", "patch_embed.proj.weight"},
      {"encoder.layers.encoder_layer_11.ln_1.weight", "blocks.11.norm1.weight"},
      {"encoder.layers.encoder_layer_0.self_attention.in_proj_bias", "blocks.0.attn.qkv.bias"},
      {"encoder.layers.encoder_layer_0.self_attention.out_proj.weight", "blocks.0.attn.proj.weight"},
      {"encoder.layers.encoder_layer_3.mlp.0.weight", "blocks.3.mlp.fc1.weight"},
      {"encoder.layers.encoder_layer_3.mlp.linear_2.bias", "blocks.3.mlp.fc2.bias"},
      {"encoder.ln.bias", "norm.bias"},
      {"heads.head.weight", "head.weight"},
      {"blocks.2.mlp.fc1.weight", "blocks.2.mlp.fc1.weight"},
      {"layer1.0.conv1.weight", "layer1.0.conv1.weight"},
      {"classifier.1.weight", "classifier.1.weight"}};
  for (const auto& [from, to] : torchvision) CHECK(weights::canonical_name(from, false).name == to);
  const std::vector<std::array<std::string, 2>> hugging_face = {
      {"vit.embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"},
      {"vit.encoder.layer.7.layernorm_after.weight", "blocks.7.norm2.weight"},
      {"vit.encoder.layer.7.attention.output.dense.bias", "blocks.7.attn.proj.bias"},
      {"vit.encoder.layer.7.output.dense.bias", "blocks.7.mlp.fc2.bias"},
      {"classifier.weight", "head.weight"},
      {"resnet.encoder.stages.2.layers.4.layer.1.normalization.running_var", "layer3.4.bn2.running_var"},
      {"resnet.encoder.stages.0.layers.0.shortcut.convolution.weight", "layer1.0.downsample.0.weight"},
      {"resnet.embedder.embedder.normalization.bias", "bn1.bias"},
      {"classifier.1.bias", "fc.bias"}};
  for (const auto& [from, to] : hugging_face) CHECK(weights::canonical_name(from, true).name == to);
  CHECK(weights::without_prefixes("module._orig_mod.model.module.fc.bias") == "fc.bias");
}

TEST_CASE("query, key and value become one") {
  MadeFile file;
  const std::string block = "vit.encoder.layer.0.attention.attention.";
  file.add(block + "value.weight", {2, 2}, 20);
  file.add(block + "query.weight", {2, 2}, 0);
  file.add(block + "key.weight", {2, 2}, 10);
  const StateDict state = file.state();
  REQUIRE(state.tensors().size() == 1);
  CHECK(state.tensors()[0].shape == std::vector<std::int64_t>{6, 2});
  CHECK(state.read("blocks.0.attn.qkv.weight") == std::vector<float>{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23});

  MadeFile lacking;
  lacking.add(block + "query.weight", {2, 2});
  CHECK(refusal([&] { lacking.state(); }).find("blocks.0.attn.qkv.weight") != std::string::npos);
}

TEST_CASE("companions are left out") {
  MadeFile file;
  for (const char* const name : {"normalize.mean", "model.fc.weight", "model.bn1.num_batches_tracked",
                                 "module.attacker.model.fc.weight", "sub_block1.layer.0.conv1.weight", "mu"}) {
    file.add(name, {1});
  }
  const StateDict state = file.state();
  REQUIRE(state.tensors().size() == 1);
  CHECK(state.tensors()[0].name == "fc.weight");
}

TEST_CASE("all that does not fit is named at once") {
  MadeFile file;
  file.add("a", {2});
  file.add("b\n", {2});
  file.add("c", {3, 1});
  const StateDict state = file.state();
  const std::vector<TensorDeclaration> declaration = {{"a", {2}}, {"c", {1, 3}}, {"d", {1}}, {"e", {1}}};
  CHECK(refusal([&] { state.check("net", declaration); }) ==
        "made: does not hold the weights of net; missing: d, e; surplus: b\\x0a; misshapen: c is [3, 1], not [1, 3]");
  CHECK_NOTHROW(state.check("net", std::vector<TensorDeclaration>{{"c", {3, 1}}, {"a", {2}}, {"b\n", {2}}}));
}

TEST_CASE("batch norm folds into a convolution in double") {
  MadeFile file;
  file.add("conv.weight", {2, 1, 1, 2}, -1);
  file.add("bn.weight", {2}, 0.5F);
  file.add("bn.bias", {2}, -3);
  file.add("bn.running_mean", {2}, 0.25F);
  file.add("bn.running_var", {2}, 0.1F);
  const StateDict state = file.state();
  const auto folded = weights::fold_batch_norm(state, "conv", "bn");
  const auto affine = weights::batch_norm_as_affine(state, "bn");
  for (std::size_t k = 0; k < 2; ++k) {
    const auto variance = static_cast<double>(0.1F + static_cast<float>(k));
    const double scale = (0.5 + static_cast<double>(k)) / std::sqrt(variance + 1e-5);
    const double shift = (-3.0 + static_cast<double>(k)) - (0.25 + static_cast<double>(k)) * scale;
    CHECK(affine.scale[k] == static_cast<float>(scale));
    CHECK(affine.shift[k] == static_cast<float>(shift));
    CHECK(folded.bias[k] == static_cast<float>(shift));
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(folded.weight[2 * k + i] == static_cast<float>((-1.0 + static_cast<double>(2 * k + i)) * scale));
    }
  }
}

TEST_CASE("a trained network has what its architecture needs") {
  const auto path = shared_material("data/weights/cifar10-resnet20-12fca82f.th");
  if (!path) return;
  const StateDict state = StateDict::from_file(std::make_shared<const WeightFile>(WeightFile::open(*path)));
  CHECK_NOTHROW(state.check("cifar_resnet20", resnet20_declaration()));
  for (const auto& tensor : state.tensors()) CHECK_NOTHROW(state.read(tensor.name));
}

}  // namespace
}  // namespace blindspot::tests
