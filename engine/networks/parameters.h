// Tensors of a weight file as layers take them, and the declarations that ask for them. Sees weights/state.h and
// layers; reads one tensor at a time, so that packing a network needs little more memory than the network.
#pragma once

#include <string>
#include <vector>

#include "engine/layers/layer_norm.h"
#include "engine/layers/linear.h"
#include "weights/state.h"

namespace blindspot {

/// `<name>.weight` [K, C, kh, kw] and `<name>.bias`, or zeros where there is none.
weights::FoldedConvolution plain_convolution(const weights::StateDict& state, const std::string& name);

/// A linear layer from `<name>.weight` and `<name>.bias`.
LinearLayer linear_layer(Device& device, const weights::StateDict& state, const std::string& name,
                         const LinearDescription& description);

/// A classifier: features [batch, features] of type `input` to float32 logits [batch, classes]. From float32 features
/// it computes in float32 in every precision.
LinearLayer classifier(Device& device, const weights::StateDict& state, const std::string& name, std::int64_t batch,
                       std::int64_t features, std::int64_t classes, Type input = Type::float32);

/// A layer norm from `<name>.weight` and `<name>.bias`.
LayerNormLayer layer_norm(Device& device, const weights::StateDict& state, const std::string& name, Type input,
                          float epsilon);

/// Collects the tensors of a network in the order in which they are declared.
class Declaration {
 public:
  void tensor(std::string name, std::vector<std::int64_t> shape);
  /// A square kernel; `<name>.weight` and, if asked, `<name>.bias`.
  void convolution(const std::string& name, std::int64_t out_channels, std::int64_t in_channels, std::int64_t kernel,
                   bool bias);
  /// weight, bias, running_mean, running_var.
  void batch_norm(const std::string& name, std::int64_t channels);
  void layer_norm(const std::string& name, std::int64_t width);
  void linear(const std::string& name, std::int64_t out_features, std::int64_t in_features);

  std::vector<weights::TensorDeclaration> take() { return std::move(tensors_); }

 private:
  std::vector<weights::TensorDeclaration> tensors_;
};

}  // namespace blindspot
