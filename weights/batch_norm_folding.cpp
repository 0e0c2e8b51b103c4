// Batch norm in inference is a scale and a shift per channel (Ioffe & Szegedy 2015, section 3.1), which a convolution
// in front of it takes over. Computed in double, rounded once.
#include <fmt/format.h>

#include <cmath>

#include "weights/message.h"
#include "weights/state.h"

namespace blindspot::weights {
namespace {

struct DoubleAffine {
  std::vector<double> scale, shift;
};

/// scale = γ/√(σ² + ε), shift = β − μ·scale.
DoubleAffine affine_of(const StateDict& state, const std::string& norm, double epsilon) {
  const std::vector<float> gamma = state.read(norm + ".weight"), beta = state.read(norm + ".bias");
  const std::vector<float> mean = state.read(norm + ".running_mean"), variance = state.read(norm + ".running_var");
  if (beta.size() != gamma.size() || mean.size() != gamma.size() || variance.size() != gamma.size()) {
    refuse(printable(state.name()), fmt::format("the tensors of the batch norm {} differ in length", norm));
  }
  DoubleAffine affine;
  for (std::size_t k = 0; k < gamma.size(); ++k) {
    const double scale = static_cast<double>(gamma[k]) / std::sqrt(static_cast<double>(variance[k]) + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(static_cast<double>(beta[k]) - static_cast<double>(mean[k]) * scale);
  }
  return affine;
}

}  // namespace

FoldedConvolution fold_batch_norm(const StateDict& state, std::string_view convolution, std::string_view norm,
                                  double epsilon) {
  const DoubleAffine affine = affine_of(state, std::string(norm), epsilon);
  const std::size_t channels = affine.scale.size();
  const std::string bias_name = std::string(convolution) + ".bias";
  FoldedConvolution folded;
  folded.weight = state.read(std::string(convolution) + ".weight");  // [K, C, kh, kw]
  const std::vector<float> bias =
      state.find(bias_name) != nullptr ? state.read(bias_name) : std::vector<float>(channels);
  if (channels == 0 || folded.weight.size() % channels != 0 || bias.size() != channels) {
    refuse(printable(state.name()),
           fmt::format("the batch norm {} does not fit the convolution {}", norm, convolution));
  }
  const std::size_t per_channel = folded.weight.size() / channels;
  for (std::size_t k = 0; k < channels; ++k) {
    for (std::size_t i = k * per_channel; i < (k + 1) * per_channel; ++i) {
      folded.weight[i] = static_cast<float>(static_cast<double>(folded.weight[i]) * affine.scale[k]);
    }
    folded.bias.push_back(static_cast<float>(static_cast<double>(bias[k]) * affine.scale[k] + affine.shift[k]));
  }
  return folded;
}

ScaleShift batch_norm_as_affine(const StateDict& state, std::string_view norm, double epsilon) {
  const DoubleAffine affine = affine_of(state, std::string(norm), epsilon);
  return {std::vector<float>(affine.scale.begin(), affine.scale.end()),
          std::vector<float>(affine.shift.begin(), affine.shift.end())};
}

}  // namespace blindspot::weights
