// Implementation of architecture.h: the names, and what belongs to each. Recognition from a file stands in
// recognition.cpp.
#include "engine/networks/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "engine/networks/alexnet.h"
#include "engine/networks/cifar_resnet.h"
#include "engine/networks/resnet.h"
#include "engine/networks/vision_transformer.h"
#include "engine/networks/wide_resnet.h"

namespace blindspot {

namespace {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

VisionTransformerDescription transformer(std::int64_t width, std::int64_t depth, std::int64_t patch) {
  VisionTransformerDescription description;
  description.width = width;
  description.depth = depth;
  description.heads = width / 64;
  description.patch = patch;
  description.mlp_width = 4 * width;
  return description;
}

VisionTransformerDescription transformer_with_stem() {
  VisionTransformerDescription description = transformer(384, 12, 16);
  description.convolution_stem = true;
  return description;
}

/// Names in the order of a list to print. Where several share one description (deit_small and vit_s_16), a file that
/// does not tell is taken for the first.
std::vector<Architecture> known_architectures() {
  return {
      {"resnet18", ResNetDescription{false, {2, 2, 2, 2}}},
      {"resnet34", ResNetDescription{false, {3, 4, 6, 3}}},
      {"resnet50", ResNetDescription{true, {3, 4, 6, 3}}},
      {"resnet101", ResNetDescription{true, {3, 4, 23, 3}}},
      {"resnet152", ResNetDescription{true, {3, 8, 36, 3}}},
      {"wide_resnet50_2", ResNetDescription{true, {3, 4, 6, 3}, 128}},
      {"wide_resnet101_2", ResNetDescription{true, {3, 4, 23, 3}, 128}},
      {"cifar_resnet20", CifarResNetDescription{20}},
      {"cifar_resnet32", CifarResNetDescription{32}},
      {"cifar_resnet44", CifarResNetDescription{44}},
      {"cifar_resnet56", CifarResNetDescription{56}},
      {"cifar_resnet110", CifarResNetDescription{110}},
      {"wrn_16_4", WideResNetDescription{16, 4}},
      {"wrn_28_10", WideResNetDescription{28, 10}},
      {"wrn_34_10", WideResNetDescription{34, 10}},
      {"wrn_70_16", WideResNetDescription{70, 16}},
      {"vit_tiny_16", transformer(192, 12, 16)},
      {"vit_tiny_32", transformer(192, 12, 32)},
      {"vit_b_16", transformer(768, 12, 16)},
      {"vit_b_32", transformer(768, 12, 32)},
      {"vit_l_16", transformer(1024, 24, 16)},
      {"vit_l_32", transformer(1024, 24, 32)},
      {"deit_tiny", transformer(192, 12, 16)},
      {"deit_small", transformer(384, 12, 16)},
      {"deit_base", transformer(768, 12, 16)},
      {"deit_large", transformer(1024, 24, 16)},
      {"vit_s_16", transformer(384, 12, 16)},
      {"vit_s_32", transformer(384, 12, 32)},
      {"deit_tiny_32", transformer(192, 12, 32)},
      {"deit_small_32", transformer(384, 12, 32)},
      {"deit_base_32", transformer(768, 12, 32)},
      {"deit_large_32", transformer(1024, 24, 32)},
      {"vit_s_convstem", transformer_with_stem()},
      {"alexnet", AlexNetDescription{}},
  };
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > 100'000) return std::nullopt;
  return value;
}

/// cifar_resnetN with N = 6n + 2 and wrn_D_K with D = 6n + 4.
std::optional<Architecture> family_member(std::string_view name) {
  constexpr std::string_view cifar_prefix = "cifar_resnet";
  if (name.starts_with(cifar_prefix)) {
    const auto depth = number(name.substr(cifar_prefix.size()));
    if (!depth || *depth < 8 || *depth > 2000 || *depth % 6 != 2) return std::nullopt;
    return Architecture{std::string(name), CifarResNetDescription{static_cast<int>(*depth)}};
  }
  constexpr std::string_view wide_prefix = "wrn_";
  if (name.starts_with(wide_prefix)) {
    const std::string_view rest = name.substr(wide_prefix.size());
    const std::size_t separator = std::min(rest.find('_'), rest.size());
    const auto depth = number(rest.substr(0, separator));
    const auto widen = number(rest.substr(std::min(separator + 1, rest.size())));
    if (!depth || *depth < 10 || *depth > 2000 || *depth % 6 != 4) return std::nullopt;
    if (!widen || *widen < 1 || *widen > 64) return std::nullopt;
    return Architecture{std::string(name), WideResNetDescription{static_cast<int>(*depth), static_cast<int>(*widen)}};
  }
  return std::nullopt;
}

/// timm's names: vit_base_patch16_224, deit_small_patch16_224.
std::optional<Architecture> timm_name(std::string_view name) {
  const std::size_t patch_at = name.find("_patch");
  if (patch_at == std::string_view::npos) return std::nullopt;
  const std::string_view sizes = name.substr(patch_at + 6);
  const std::size_t separator = std::min(sizes.find('_'), sizes.size());
  const auto patch = number(sizes.substr(0, separator));
  const auto image_size = number(sizes.substr(std::min(separator + 1, sizes.size())));
  if (!patch || !image_size || *image_size < *patch || *image_size > 2048) return std::nullopt;
  const std::string family(name.substr(0, patch_at));
  std::string own;
  if (family == "vit_tiny") own = fmt::format("vit_tiny_{}", *patch);
  if (family == "vit_small") own = fmt::format("vit_s_{}", *patch);
  if (family == "vit_base") own = fmt::format("vit_b_{}", *patch);
  if (family == "vit_large") own = fmt::format("vit_l_{}", *patch);
  if (family.starts_with("deit_")) own = *patch == 16 ? family : fmt::format("{}_{}", family, *patch);
  for (Architecture& known : known_architectures()) {
    if (known.name != own) continue;
    auto& description = std::get<VisionTransformerDescription>(known.description);
    if (description.patch != *patch || *image_size % *patch != 0) return std::nullopt;
    description.image_size = *image_size;
    return known;
  }
  return std::nullopt;
}

/// Smallest input at which no layer is left without a pixel, or below which the family was never meant.
std::int64_t smallest_input(const Architecture& architecture) {
  return std::visit(Overloaded{[](const ResNetDescription&) { return std::int64_t{32}; },
                               [](const AlexNetDescription&) { return std::int64_t{63}; },
                               [](const auto&) { return std::int64_t{1}; }},
                    architecture.description);
}

void check_input_size(const Architecture& architecture, std::int64_t size) {
  const auto* vit = std::get_if<VisionTransformerDescription>(&architecture.description);
  if (vit != nullptr && vit->image_size != size) {
    throw Error(
        ErrorKind::usage,
        fmt::format("{0} has position embeddings for an input of {1}×{1}, and cannot take {2}×{2}: use an input "
                    "size of {1}",
                    architecture.name, vit->image_size, size));
  }
  if (size < smallest_input(architecture) || size > 16'384) {
    throw Error(ErrorKind::usage, fmt::format("{} takes inputs of {} to 16384 pixels a side, not {}", architecture.name,
                                              smallest_input(architecture), size));
  }
}

}  // namespace

std::int64_t Architecture::classes() const {
  return std::visit([](const auto& family) { return family.classes; }, description);
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& known : known_architectures()) names.push_back(known.name);
  return names;
}

Architecture architecture_named(std::string_view name) {
  std::string plain(name);
  for (char& letter : plain) {
    letter = letter == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  for (const Architecture& known : known_architectures()) {
    if (known.name == plain) return known;
  }
  if (auto member = family_member(plain)) return *member;
  if (auto timm = timm_name(plain)) return *timm;
  throw Error(
      ErrorKind::usage,
      fmt::format("unknown architecture `{}`; known are {} (cifar_resnetN for N = 6n + 2 and wrn_D_K for D = 6n + 4 "
                  "too)",
                  name, fmt::join(architecture_names(), ", ")));
}

std::string architecture_name(const decltype(Architecture::description)& description) {
  for (const Architecture& known : known_architectures()) {
    decltype(Architecture::description) comparable = known.description;
    std::visit(Overloaded{[&](VisionTransformerDescription& vit) {
                            const auto* other = std::get_if<VisionTransformerDescription>(&description);
                            if (other == nullptr) return;
                            vit.classes = other->classes;
                            vit.image_size = other->image_size;
                            vit.layer_norm_epsilon = other->layer_norm_epsilon;
                          },
                          [&](auto& family) {
                            family.classes = std::visit([](const auto& other) { return other.classes; }, description);
                          }},
               comparable);
    if (comparable == description) return known.name;
  }
  return std::visit(
      Overloaded{[](const ResNetDescription& d) {
                   return fmt::format("resnet({}, blocks {}, base width {})", d.bottleneck ? "bottleneck" : "basic",
                                      fmt::join(d.blocks, " "), d.base_width);
                 },
                 [](const CifarResNetDescription& d) { return fmt::format("cifar_resnet{}", d.depth); },
                 [](const WideResNetDescription& d) { return fmt::format("wrn_{}_{}", d.depth, d.widen); },
                 [](const VisionTransformerDescription& d) {
                   const std::string embedding =
                       d.convolution_stem ? std::string("convolution stem") : fmt::format("patch {}", d.patch);
                   return fmt::format("vit(width {}, depth {}, heads {}, {})", d.width, d.depth, d.heads, embedding);
                 },
                 [](const AlexNetDescription&) { return std::string("alexnet"); }},
      description);
}

std::vector<weights::TensorDeclaration> declare(const Architecture& architecture) {
  return std::visit(Overloaded{[](const ResNetDescription& d) { return declare_resnet(d); },
                               [](const CifarResNetDescription& d) { return declare_cifar_resnet(d); },
                               [](const WideResNetDescription& d) { return declare_wide_resnet(d); },
                               [](const VisionTransformerDescription& d) { return declare_vision_transformer(d); },
                               [](const AlexNetDescription& d) { return declare_alexnet(d); }},
                    architecture.description);
}

weights::RuleGains rule_gains(const Architecture& architecture) {
  weights::RuleGains gains;
  if (const auto* vit = std::get_if<VisionTransformerDescription>(&architecture.description)) {
    gains.family =
        vit->convolution_stem ? weights::RuleFamily::transformer_with_stem : weights::RuleFamily::transformer;
    gains.classifier_gain = 6;
    return gains;
  }
  gains.family = weights::RuleFamily::convolutional;
  const auto* resnet = std::get_if<ResNetDescription>(&architecture.description);
  gains.last_norm = resnet != nullptr && resnet->bottleneck ? "bn3.weight" : "bn2.weight";
  if (std::holds_alternative<AlexNetDescription>(architecture.description)) gains.last_norm.clear();
  // Chosen so that the logits' standard deviation is 1.4 to 2.9; other ResNets take ResNet-50's.
  constexpr std::array<std::pair<std::string_view, double>, 5> classifier_gains{
      {{"resnet18", 0.25}, {"resnet34", 0.1}, {"resnet101", 0.0025}, {"wrn_28_10", 40}, {"wrn_16_4", 30}}};
  gains.classifier_gain = 0.06;
  for (const auto& [name, gain] : classifier_gains) {
    if (architecture.name == name) gains.classifier_gain = gain;
  }
  return gains;
}

weights::StateDict rule_state(const Architecture& architecture, std::uint64_t seed, Cancelled cancelled) {
  return weights::StateDict::from_rule(
      fmt::format("rule:{} seed {}", architecture.name, seed), declare(architecture),
      [gains = rule_gains(architecture), seed](const weights::TensorDeclaration& tensor) {
        return weights::rule_tensor(tensor, seed, gains);
      },
      std::move(cancelled));
}

Preprocessing default_preprocessing(const Architecture& architecture) {
  Preprocessing preprocessing;  // ImageNet's: resize 256 bilinear, crop 224
  if (const auto* vit = std::get_if<VisionTransformerDescription>(&architecture.description)) {
    const auto size = static_cast<int>(vit->image_size);
    const bool imagenet_numbers = architecture.name.starts_with("deit") || vit->convolution_stem;
    preprocessing.input_size = preprocessing.crop = size;
    if (imagenet_numbers && size == 224) return preprocessing;
    // Crop 0.9 as timm has it; the whole image for large inputs and for thumbnails.
    preprocessing.resize = size >= 384 || size <= 64 ? size : size * 10 / 9;
    if (imagenet_numbers) return preprocessing;
    preprocessing.interpolation = Interpolation::bicubic;
    preprocessing.mean = preprocessing.deviation = {0.5F, 0.5F, 0.5F};
    return preprocessing;
  }
  const bool wide = std::holds_alternative<WideResNetDescription>(architecture.description);
  if (wide || std::holds_alternative<CifarResNetDescription>(architecture.description)) {
    preprocessing.input_size = preprocessing.resize = preprocessing.crop = 32;
  }
  if (wide) {
    preprocessing.mean = {0, 0, 0};
    preprocessing.deviation = {1, 1, 1};
  }
  return preprocessing;
}

std::unique_ptr<Network> build(const Architecture& architecture, const weights::StateDict& state,
                               const Preprocessing& preprocessing, std::int64_t batch, Device& device) {
  check_input_size(architecture, preprocessing.input_size);
  state.check(architecture.name, declare(architecture));
  NetworkInput input;
  input.batch = batch;
  input.height = input.width = preprocessing.input_size;
  input.mean = preprocessing.mean;
  input.deviation = preprocessing.deviation;
  std::unique_ptr<Network> network =
      std::visit(Overloaded{[&](const ResNetDescription& d) -> std::unique_ptr<Network> {
                              return std::make_unique<ResNet>(device, input, d, state);
                            },
                            [&](const CifarResNetDescription& d) -> std::unique_ptr<Network> {
                              return std::make_unique<CifarResNet>(device, input, d, state);
                            },
                            [&](const WideResNetDescription& d) -> std::unique_ptr<Network> {
                              return std::make_unique<WideResNet>(device, input, d, state);
                            },
                            [&](const VisionTransformerDescription& d) -> std::unique_ptr<Network> {
                              return std::make_unique<VisionTransformer>(device, input, d, state);
                            },
                            [&](const AlexNetDescription& d) -> std::unique_ptr<Network> {
                              return std::make_unique<AlexNet>(device, input, d, state);
                            }},
                 architecture.description);
  state.release_pages();
  return network;
}

}  // namespace blindspot
