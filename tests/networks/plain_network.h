// The networks once more, as plainly as possible: one image, double precision, [C, H, W], batch norm unfolded, straight
// from the tensors' canonical names. What the engine computes is compared with this. Uses weights/state.h alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/networks/architecture.h"

namespace blindspot::tests {

/// [C, H, W] or, for tokens, [T, D, 1].
struct PlainTensor {
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<double> values;

  PlainTensor() = default;
  PlainTensor(std::int64_t c, std::int64_t h, std::int64_t w)
      : channels(c), height(h), width(w), values(static_cast<std::size_t>(c * h * w)) {}
  double& at(std::int64_t c, std::int64_t y, std::int64_t x) {
    return values.at(static_cast<std::size_t>((c * height + y) * width + x));
  }
  double at(std::int64_t c, std::int64_t y, std::int64_t x) const {
    return values[static_cast<std::size_t>((c * height + y) * width + x)];
  }
};

class PlainNetwork {
 public:
  PlainNetwork(Architecture architecture, const weights::StateDict& state, const Preprocessing& preprocessing);

  /// Logits of one image [3, H, W] in [0, 1].
  std::vector<double> logits(const std::vector<double>& image) const;
  /// −log softmax(logits)[target].
  double cross_entropy(const std::vector<double>& image, std::int64_t target) const;

 private:
  const std::vector<float>& read(const std::string& name) const { return tensors_.at(name); }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  PlainTensor convolution(const PlainTensor& x, const std::string& name, std::int64_t stride,
                          std::int64_t padding) const;
  PlainTensor batch_norm(PlainTensor x, const std::string& name) const;
  /// Over the channels of every position.
  PlainTensor channel_norm(PlainTensor x, const std::string& name, double epsilon) const;
  /// x of any shape, flattened.
  std::vector<double> linear(const std::vector<double>& x, const std::string& name) const;
  PlainTensor tokens_linear(const PlainTensor& x, const std::string& name) const;
  PlainTensor attention(const PlainTensor& qkv, std::int64_t heads) const;

  std::vector<double> resnet(const ResNetDescription& description, const PlainTensor& x) const;
  std::vector<double> cifar_resnet(const CifarResNetDescription& description, const PlainTensor& x) const;
  std::vector<double> wide_resnet(const WideResNetDescription& description, const PlainTensor& x) const;
  std::vector<double> transformer(const VisionTransformerDescription& description, const PlainTensor& x) const;
  std::vector<double> alexnet(const PlainTensor& x) const;

  Architecture architecture_;
  Preprocessing preprocessing_;
  std::map<std::string, std::vector<float>> tensors_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
};

}  // namespace blindspot::tests
