// Which network a file holds: from its metadata, the names of its tensors and their shapes (declared in
// architecture.h). Shapes are believed only within bounds, since the file may be anything; what does not fit is left to
// StateDict::check, which names it.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <set>

#include "engine/networks/architecture.h"

namespace blindspot {

namespace {

using weights::StateDict;

constexpr std::int64_t largest_size = 1'000'000;  // of a width or a number of classes

/// Size of one dimension of a tensor, if the tensor is there, has that dimension and the size is believable.
std::optional<std::int64_t> size_of(const StateDict& state, std::string_view tensor, std::size_t dimension) {
  const weights::TensorInformation* found = state.find(tensor);
  if (found == nullptr || found->shape.size() <= dimension) return std::nullopt;
  const std::int64_t size = found->shape[dimension];
  if (size < 1 || size > largest_size) return std::nullopt;
  return size;
}

/// How many i = 0, 1, … follow each other among the tensors `<prefix>i.…`.
int count_blocks(const StateDict& state, std::string_view prefix) {
  std::set<int> numbers;
  for (const weights::TensorInformation& tensor : state.tensors()) {
    const std::string_view name = tensor.name;
    if (!name.starts_with(prefix)) continue;
    int value = 0;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), value);
    if (error == std::errc() && end != name.data() + name.size() && *end == '.') numbers.insert(value);
  }
  int count = 0;
  while (numbers.contains(count)) ++count;
  return count;
}

/// Rows of a classifier: of its bias, which cannot be transposed, else of its weight.
std::int64_t class_count(const StateDict& state, const std::string& classifier, std::int64_t otherwise) {
  if (const auto rows = size_of(state, classifier + ".bias", 0)) return *rows;
  return size_of(state, classifier + ".weight", 0).value_or(otherwise);
}

std::optional<ResNetDescription> resnet_of(const StateDict& state) {
  if (state.find("layer4.0.conv1.weight") == nullptr || state.find("conv1.weight") == nullptr) return std::nullopt;
  ResNetDescription description;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    description.blocks.at(stage) = count_blocks(state, fmt::format("layer{}.", stage + 1));
    if (description.blocks.at(stage) == 0) return std::nullopt;
  }
  description.bottleneck = state.find("layer4.0.conv3.weight") != nullptr;
  if (description.bottleneck) description.base_width = size_of(state, "layer1.0.conv1.weight", 0).value_or(64);
  description.classes = class_count(state, "fc", description.classes);
  return description;
}

std::optional<CifarResNetDescription> cifar_resnet_of(const StateDict& state) {
  if (size_of(state, "conv1.weight", 0) != 16 || count_blocks(state, "layer4.") > 0) return std::nullopt;
  int blocks_a_stage = 0;
  for (const char* stage : {"layer1.", "layer2.", "layer3."}) {
    blocks_a_stage = std::max(blocks_a_stage, count_blocks(state, stage));
  }
  if (blocks_a_stage == 0) return std::nullopt;
  CifarResNetDescription description;
  description.depth = 6 * blocks_a_stage + 2;
  description.classes = class_count(state, "linear", description.classes);
  return description;
}

std::optional<WideResNetDescription> wide_resnet_of(const StateDict& state) {
  const auto channels = size_of(state, "block1.layer.0.conv1.weight", 0);
  if (!channels || *channels % 16 != 0 || *channels > std::int64_t{16} * 64) return std::nullopt;
  WideResNetDescription description;
  description.depth = 6 * count_blocks(state, "block1.layer.") + 4;
  description.widen = static_cast<int>(*channels / 16);
  description.classes = class_count(state, "fc", description.classes);
  return description;
}

std::optional<AlexNetDescription> alexnet_of(const StateDict& state) {
  if (state.find("features.0.weight") == nullptr || state.find("classifier.6.weight") == nullptr) return std::nullopt;
  AlexNetDescription description;
  description.classes = class_count(state, "classifier.6", description.classes);
  return description;
}

/// Value of a number in the metadata; nothing if the key is absent. Throws Error(input) if it is no number of that
/// type.
template <typename Number>
std::optional<Number> number_in_metadata(const StateDict& state, const std::string& key) {
  const auto written = state.metadata().find(key);
  if (written == state.metadata().end()) return std::nullopt;
  Number value = 0;
  const std::string& text = written->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorKind::input, fmt::format("{}: the metadata's `{}` is not a number", state.name(), key));
  }
  return value;
}

std::int64_t heads_of(const StateDict& state, std::int64_t width, const TransformerConfiguration& configuration) {
  const auto check = [width](std::int64_t heads, const std::string& source, ErrorKind kind = ErrorKind::input) {
    if (heads < 1 || width % heads != 0) {
      throw Error(kind,
                  fmt::format("{} is {}, which is not a whole number that divides the width {}", source, heads, width));
    }
    return heads;
  };
  if (configuration.chosen_heads)
    return check(*configuration.chosen_heads, "the number of attention heads (--heads)", ErrorKind::usage);
  if (const auto heads = number_in_metadata<std::int64_t>(state, "heads")) {
    return check(*heads, fmt::format("{}: the metadata's `heads`", state.name()));
  }
  if (configuration.heads) {
    return check(*configuration.heads, fmt::format("{}: `num_attention_heads`", configuration.file));
  }
  const std::int64_t heads = std::max<std::int64_t>(width / 64, 1);
  if (width % heads != 0) {
    throw Error(ErrorKind::input, fmt::format("{}: a width of {} is not divided by width/64 = {} attention heads; say "
                                              "how many with --heads (the file's metadata holds no `heads`)",
                                              state.name(), width, heads));
  }
  return heads;
}

/// timm's and torchvision's 1e-6 where nothing is said, transformers' 1e-12 for a file of its own.
float layer_norm_epsilon_of(const StateDict& state, const TransformerConfiguration& configuration) {
  const auto check = [](float epsilon, const std::string& source) {
    if (!(epsilon >= 0 && epsilon < 1)) {
      throw Error(ErrorKind::input, fmt::format("{} is {}, it must be at least 0 and below 1", source, epsilon));
    }
    return epsilon;
  };
  if (const auto epsilon = number_in_metadata<float>(state, "layer_norm_epsilon")) {
    return check(*epsilon, fmt::format("{}: the metadata's `layer_norm_epsilon`", state.name()));
  }
  if (configuration.layer_norm_epsilon) {
    return check(*configuration.layer_norm_epsilon, fmt::format("{}: `layer_norm_eps`", configuration.file));
  }
  return state.has_hugging_face_names() ? 1e-12F : VisionTransformerDescription{}.layer_norm_epsilon;
}

/// What only the file and its configuration can tell of a transformer whose width and patch are known.
void complete(VisionTransformerDescription& description, const StateDict& state,
              const TransformerConfiguration& configuration) {
  description.classes = class_count(state, "head", description.classes);
  description.heads = heads_of(state, description.width, configuration);
  description.layer_norm_epsilon = layer_norm_epsilon_of(state, configuration);
  const auto tokens = size_of(state, "pos_embed", 1);
  if (!tokens) return;
  const auto grid = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(*tokens - 1))));
  if (grid > 0 && grid * grid == *tokens - 1) description.image_size = grid * description.patch;
}

std::optional<VisionTransformerDescription> transformer_of(const StateDict& state,
                                                           const TransformerConfiguration& configuration) {
  const auto width = size_of(state, "cls_token", 2);
  if (!width || state.find("blocks.0.attn.qkv.weight") == nullptr) return std::nullopt;
  VisionTransformerDescription description;
  description.convolution_stem = state.find("patch_embed.proj.stem.0.weight") != nullptr;
  if (!description.convolution_stem) {
    const auto patch = size_of(state, "patch_embed.proj.weight", 2);
    if (!patch || *patch > 1024) return std::nullopt;
    description.patch = *patch;
  } else if (*width % 8 != 0) {
    return std::nullopt;
  }
  description.width = *width;
  description.depth = count_blocks(state, "blocks.");
  description.mlp_width = size_of(state, "blocks.0.mlp.fc1.weight", 0).value_or(4 * *width);
  complete(description, state, configuration);
  return description;
}

std::optional<std::string> name_in_metadata(const StateDict& state) {
  const auto written = state.metadata().find("architecture");
  if (written == state.metadata().end()) return std::nullopt;
  try {
    return architecture_named(written->second).name;
  } catch (const Error&) {  // a family's name or another project's: the shapes tell
    return std::nullopt;
  }
}

/// 4 of `vit(width 128, depth 6, heads 4, patch 4)`, as results record a network without a name.
std::optional<std::int64_t> heads_in_name(std::string_view name) {
  constexpr std::string_view label = "heads ";
  const std::size_t at = name.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = name.substr(at + label.size());
  std::int64_t heads = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), heads);
  if (error != std::errc()) return std::nullopt;
  return heads;
}

template <typename Description>
std::optional<Architecture> with_name(const std::optional<Description>& description) {
  if (!description) return std::nullopt;
  return Architecture{architecture_name(*description), *description};
}

}  // namespace

std::optional<Architecture> recognise(const weights::StateDict& state, const TransformerConfiguration& configuration) {
  if (const auto name = name_in_metadata(state)) return architecture_named_for(*name, state, configuration);
  if (auto found = with_name(transformer_of(state, configuration))) return found;
  if (auto found = with_name(resnet_of(state))) return found;
  if (auto found = with_name(cifar_resnet_of(state))) return found;
  if (auto found = with_name(wide_resnet_of(state))) return found;
  return with_name(alexnet_of(state));
}

Architecture architecture_named_for(std::string_view name, const weights::StateDict& state,
                                    const TransformerConfiguration& configuration) {
  if (name == "vit" || name.starts_with("vit(")) {
    TransformerConfiguration with_heads = configuration;
    if (!with_heads.chosen_heads) with_heads.chosen_heads = heads_in_name(name);
    if (auto found = with_name(transformer_of(state, with_heads))) return *found;
    throw Error(ErrorKind::input, fmt::format("{}: holds no vision transformer: cls_token, patch_embed.proj.weight or "
                                              "blocks.0.attn.qkv.weight is missing or misshapen",
                                              state.name()));
  }
  Architecture architecture = architecture_named(name);
  if (auto* vit = std::get_if<VisionTransformerDescription>(&architecture.description)) {
    const std::int64_t heads_of_name = vit->heads;
    complete(*vit, state, configuration);
    if (vit->heads != heads_of_name) architecture.name = architecture_name(architecture.description);
  } else if (auto* resnet = std::get_if<ResNetDescription>(&architecture.description)) {
    resnet->classes = class_count(state, "fc", resnet->classes);
  } else if (auto* cifar = std::get_if<CifarResNetDescription>(&architecture.description)) {
    cifar->classes = class_count(state, "linear", cifar->classes);
  } else if (auto* wide = std::get_if<WideResNetDescription>(&architecture.description)) {
    wide->classes = class_count(state, "fc", wide->classes);
  } else if (auto* alexnet = std::get_if<AlexNetDescription>(&architecture.description)) {
    alexnet->classes = class_count(state, "classifier.6", alexnet->classes);
  }
  return architecture;
}

}  // namespace blindspot
