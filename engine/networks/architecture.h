// The catalogue of network families: from a name or from a file's tensors to a description, from a description to the
// tensors it needs and to a prepared network. A new network is one file beside this and one line in architecture.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "engine/networks/network.h"
#include "weights/rule.h"
#include "weights/state.h"

namespace blindspot {

/// He et al. 2016, torchvision's v1.5 (stride in the 3×3): resnet18/34/50/101/152, wide_resnet50_2/101_2.
struct ResNetDescription {
  bool bottleneck = true;
  std::array<int, 4> blocks{3, 4, 6, 3};
  std::int64_t base_width = 64;  ///< 128 for wide_resnet*_2
  std::int64_t classes = 1000;

  bool operator==(const ResNetDescription&) const = default;
};
/// He et al. 2016, section 4.2, shortcut A: depth 6n + 2.
struct CifarResNetDescription {
  int depth = 20;
  std::int64_t classes = 10;

  bool operator==(const CifarResNetDescription&) const = default;
};
/// Zagoruyko & Komodakis 2016, WRN-depth-widen (pre-activation).
struct WideResNetDescription {
  int depth = 28, widen = 10;
  std::int64_t classes = 10;

  bool operator==(const WideResNetDescription&) const = default;
};
/// Dosovitskiy et al. 2021; DeiT has the same function. `stem`: ConvStem of Singh et al. 2023 for the patch embedding.
struct VisionTransformerDescription {
  std::int64_t width = 768, depth = 12, heads = 12, patch = 16, mlp_width = 3072, classes = 1000, image_size = 224;
  bool convolution_stem = false;
  float layer_norm_epsilon = 1e-6F;

  bool operator==(const VisionTransformerDescription&) const = default;
};
/// Krizhevsky 2014 ("one weird trick"), torchvision's alexnet.
struct AlexNetDescription {
  std::int64_t classes = 1000;

  bool operator==(const AlexNetDescription&) const = default;
};

struct Architecture {
  std::string name;  ///< "resnet50"; "vit(width 128, depth 6, heads 4, patch 4)" where no name is known
  std::variant<ResNetDescription, CifarResNetDescription, WideResNetDescription, VisionTransformerDescription,
               AlexNetDescription>
      description;

  std::int64_t classes() const;
};

/// All names that architecture_named takes, in the order of a list to print.
std::vector<std::string> architecture_names();
/// Throws Error(usage) that names `name` and lists the known ones (wrn_D_K and cifar_resnetN stand for their families).
Architecture architecture_named(std::string_view name);
/// What is known of a transformer from outside its weight file: a Hugging Face folder's config.json, before which the
/// file's own metadata goes, and the user's word, which goes before everything.
struct TransformerConfiguration {
  std::optional<float> layer_norm_epsilon;
  std::optional<std::int64_t> heads;
  std::string file;                                         ///< for messages
  std::optional<std::int64_t> chosen_heads = std::nullopt;  ///< --heads
};
/// From metadata (`architecture`, `heads`, `layer_norm_epsilon`), names and shapes. Nothing if no family fits. Throws
/// Error(input) for metadata or a configuration that cannot be, and for a width that width/64 heads do not divide;
/// Error(usage) for chosen heads that do not divide it.
std::optional<Architecture> recognise(const weights::StateDict& state,
                                      const TransformerConfiguration& configuration = {});
/// As architecture_named, but with classes, heads and image size taken from the file's shapes and metadata; `vit` takes
/// everything from there, and so does a name `vit(…)` but for the heads in it. Other heads than the name's make it
/// another network with another name. Throws Error(usage|input).
Architecture architecture_named_for(std::string_view name, const weights::StateDict& state,
                                    const TransformerConfiguration& configuration = {});
/// The name under which a description is known, whatever its classes and image size; else its numbers in brackets.
std::string architecture_name(const decltype(Architecture::description)& description);

std::vector<weights::TensorDeclaration> declare(const Architecture& architecture);
/// Gains of the weight rule (weights/rule.h).
weights::RuleGains rule_gains(const Architecture& architecture);
/// Weights from the rule, made when they are read; `cancelled` as StateDict::from_file has it.
weights::StateDict rule_state(const Architecture& architecture, std::uint64_t seed, Cancelled cancelled = {});
/// Preprocessing that the family's published weights expect.
Preprocessing default_preprocessing(const Architecture& architecture);
/// Checks the state against the declaration, folds, packs; releases the pages of the state's file in the end. The input
/// is preprocessing.input_size a side. Throws Error(input) for tensors that do not fit, Error(usage) for an input size
/// that the network cannot take.
std::unique_ptr<Network> build(const Architecture& architecture, const weights::StateDict& state,
                               const Preprocessing& preprocessing, std::int64_t batch, Device& device);

}  // namespace blindspot
