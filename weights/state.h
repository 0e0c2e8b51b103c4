// From a file's raw tensor names to the names a network declares: prefixes off, other projects' names mapped,
// companions left out, and everything checked against a declaration at once. Also batch-norm folding. Uses
// weight_file.h.
#pragma once

#include <functional>
#include <optional>

#include "weights/weight_file.h"

namespace blindspot::weights {

/// One tensor that a network needs, under its canonical name (torchvision's for ResNet and AlexNet, timm's for ViT,
/// RobustBench's for WideResNet, pytorch_resnet_cifar10's for CIFAR ResNets).
struct TensorDeclaration {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// The tensors of a network under canonical names. Hugging Face's separate query, key and value appear joined as
/// `attn.qkv`. Companions (num_batches_tracked, normaliser's mean and std, attacker copies) are absent.
class StateDict {
 public:
  /// Strips `module.`, `model.`, `_orig_mod.` repeatedly and maps names. Throws Error(input) when two names become one.
  /// Once `cancelled` says so, reading throws Stopped; so do all that read: sha256, folding, building a network.
  static StateDict from_file(std::shared_ptr<const WeightFile> file, Cancelled cancelled = {});
  /// Tensors made by `make(name, count)` for a declaration: rule-made or generated weights.
  static StateDict from_rule(std::string name, std::vector<TensorDeclaration> declaration,
                             std::function<std::vector<float>(const TensorDeclaration&)> make,
                             Cancelled cancelled = {});

  const std::string& name() const;  ///< file name or rule, for messages
  /// Canonical names and shapes, sorted by name.
  const std::vector<TensorInformation>& tensors() const;
  const TensorInformation* find(std::string_view tensor) const;
  /// Metadata of a safetensors file; empty otherwise.
  const std::map<std::string, std::string>& metadata() const;
  /// True where the file itself has transformers' names, so that transformers' defaults hold.
  bool has_hugging_face_names() const;
  /// Throws one Error(input) that lists all missing, surplus and misshapen tensors against the declaration of
  /// `architecture`.
  void check(std::string_view architecture, std::span<const TensorDeclaration> declaration) const;
  /// Values, float32 row-major. Throws Error(input) on NaN, infinity, a negative running_var, naming file and tensor.
  std::vector<float> read(std::string_view tensor) const;
  /// SHA-256 over all tensors' little-endian float32 bytes in byte order of their canonical names, lower-case hex.
  std::string sha256() const;
  void release_pages() const;

 private:
  void add(TensorInformation tensor, std::function<std::vector<float>()> read);
  void sort_by_name();

  std::string name_;
  std::vector<TensorInformation> tensors_;
  std::vector<std::function<std::vector<float>()>> readers_;  // of tensors_, in the same order
  std::map<std::string, std::string> metadata_;
  bool has_hugging_face_names_ = false;
  std::shared_ptr<const WeightFile> file_;
  Cancelled cancelled_;
};

/// A convolution with its batch norm folded in: w' = w·γ/√(σ² + ε), b' = β + (b − μ)·γ/√(σ² + ε), in double.
struct FoldedConvolution {
  std::vector<float> weight;  ///< as given, [K, C, kh, kw]
  std::vector<float> bias;    ///< [K]
};

/// `convolution` names a weight (`<convolution>.weight`, `.bias` if there), `norm` a batch norm (`<norm>.weight` …).
FoldedConvolution fold_batch_norm(const StateDict& state, std::string_view convolution, std::string_view norm,
                                  double epsilon = 1e-5);

/// A batch norm alone as scale and shift per channel (pre-activation networks).
struct ScaleShift {
  std::vector<float> scale, shift;
};
ScaleShift batch_norm_as_affine(const StateDict& state, std::string_view norm, double epsilon = 1e-5);

}  // namespace blindspot::weights
