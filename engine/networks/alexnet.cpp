// Implementation of alexnet.h. Tensor numbers are positions in torchvision's `features` and `classifier`.
#include "engine/networks/alexnet.h"

#include <utility>

namespace blindspot {

namespace {

struct FeatureConvolution {
  const char* name;
  std::int64_t in_channels, out_channels, kernel, stride, padding;
};

constexpr std::array<FeatureConvolution, AlexNetFeatures::convolution_count> feature_convolutions{{
    {"features.0", 3, 64, 11, 4, 2},
    {"features.3", 64, 192, 5, 1, 2},
    {"features.6", 192, 384, 3, 1, 1},
    {"features.8", 384, 256, 3, 1, 1},
    {"features.10", 256, 256, 3, 1, 1},
}};
constexpr std::array<const char*, AlexNetFeatures::convolution_count> relu_names{
    "features.1", "features.4", "features.7", "features.9", "features.11"};
constexpr PoolDescription overlapping_pool{3, 2, 0};
constexpr std::int64_t pooled_side = 6;
constexpr std::int64_t hidden_features = 4096;

/// Convolution `index` ≥ 1; the second and third follow a max-pool, so no ReLU's mask applies to their input.
ConvolutionLayer feature_convolution(Device& device, const weights::StateDict& state, std::size_t index,
                                     const Shape& input) {
  const FeatureConvolution& feature = feature_convolutions.at(index);
  ConvolutionDescription description =
      square_convolution(input, feature.out_channels, feature.kernel, feature.stride, feature.padding);
  description.relu = true;
  description.mask_gradient = index >= 3;
  return {device, description, plain_convolution(state, feature.name)};
}

LinearDescription hidden_layer(Device& device, std::int64_t batch, std::int64_t in_features, Type input) {
  LinearDescription description;
  description.rows = batch;
  description.in_features = in_features;
  description.out_features = hidden_features;
  description.input = input;
  description.output = device.activation_type();
  return description;
}

/// classifier.1 reads the features flattened as [C, 6, 6]; here they lie as [6, 6, C].
LinearLayer first_classifier(Device& device, const weights::StateDict& state, std::int64_t batch,
                             std::int64_t channels) {
  const std::int64_t places = pooled_side * pooled_side;
  const std::vector<float> columns_by_channel = state.read("classifier.1.weight");
  std::vector<float> columns_by_place(columns_by_channel.size());
  const float* from = columns_by_channel.data();
  for (std::int64_t row = 0; row < hidden_features; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t place = 0; place < places; ++place) {
        columns_by_place[static_cast<std::size_t>((row * places + place) * channels + c)] = *from++;
      }
    }
  }
  return {device, hidden_layer(device, batch, places * channels, Type::float32), columns_by_place,
          state.read("classifier.1.bias")};
}

}  // namespace

AlexNetFeatures::AlexNetFeatures(Device& device, const NetworkInput& input, const weights::StateDict& state)
    : first_(device, input,
             {feature_convolutions[0].out_channels, feature_convolutions[0].kernel, feature_convolutions[0].stride,
              feature_convolutions[0].padding, true},
             plain_convolution(state, feature_convolutions[0].name)),
      first_pool_(device, overlapping_pool, first_.output_shape()),
      second_pool_(device, overlapping_pool, [this] {
        Shape shape = first_pool_.output_shape();
        return Shape{shape[0], shape[1], shape[2],
                     feature_convolutions[1].out_channels};  // a 5×5 with padding 2 keeps the size
      }()) {
  convolutions_.push_back(feature_convolution(device, state, 1, first_pool_.output_shape()));
  convolutions_.push_back(feature_convolution(device, state, 2, second_pool_.output_shape()));
  convolutions_.push_back(feature_convolution(device, state, 3, convolutions_.back().output_shape()));
  convolutions_.push_back(feature_convolution(device, state, 4, convolutions_.back().output_shape()));
}

Array AlexNetFeatures::forward(const WriteImages& write_images, const Tap& tap) {
  Array x = first_.forward(write_images);
  if (tap) tap(0, x);
  x = first_pool_.forward(x);
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    x = convolutions_[i].forward(x);
    if (tap) tap(i + 1, x);
    if (i == 0) x = second_pool_.forward(x);
  }
  return x;
}

void AlexNetFeatures::input_gradient(Array dy, const ReadGradient& read_gradient) {
  Array dx = convolutions_[3].input_gradient(dy, convolutions_[2].relu_mask());
  dx = convolutions_[2].input_gradient(dx, convolutions_[1].relu_mask());
  dx = convolutions_[1].input_gradient(dx, nullptr);
  dx = second_pool_.input_gradient(dx, convolutions_[0].relu_mask());
  dx = convolutions_[0].input_gradient(dx, nullptr);
  dx = first_pool_.input_gradient(dx, first_.relu_mask());
  first_.input_gradient(dx, read_gradient);
}

void AlexNetFeatures::forget() {
  first_.forget();
  first_pool_.forget();
  second_pool_.forget();
  for (ConvolutionLayer& layer : convolutions_) layer.forget();
}

AlexNet::AlexNet(Device& device, const NetworkInput& input, const AlexNetDescription& description,
                 const weights::StateDict& state)
    : PreparedNetwork(device, input, description.classes),
      features_(device, input, state),
      last_pool_(device, overlapping_pool, features_.output_shape()),
      average_pool_(device, last_pool_.output_shape(), pooled_side, pooled_side),
      classifier1_(first_classifier(device, state, input.batch, features_.output_shape()[3])),
      classifier4_(linear_layer(device, state, "classifier.4",
                                hidden_layer(device, input.batch, hidden_features, device.activation_type()))),
      classifier6_(classifier(device, state, "classifier.6", input.batch, hidden_features, description.classes,
                              device.activation_type())) {}

Array AlexNet::forward(const WriteImages& write_images) {
  forget();
  Array x = features_.forward(write_images, [this](std::size_t relu, const Array& features) {
    observe(Pass::forward, relu_names.at(relu), features);
  });
  x = last_pool_.forward(x);
  x = average_pool_.forward(x);  // [N, 6, 6, 256]
  x = classifier1_.forward(x.reshaped({batch(), x.shape().count() / batch()}));
  mask2_ = device().array(Type::mask, x.shape());
  device().relu(x, mask2_);
  x = classifier4_.forward(x);
  mask5_ = device().array(Type::mask, x.shape());
  device().relu(x, mask5_);
  return classifier6_.forward(x);
}

void AlexNet::input_gradient(const Array& dlogits, const ReadGradient& read_gradient) {
  Array dx = classifier6_.input_gradient(dlogits);
  device().relu_gradient(dx, mask5_);
  dx = classifier4_.input_gradient(dx);
  device().relu_gradient(dx, mask2_);
  dx = classifier1_.input_gradient(dx);
  dx = average_pool_.input_gradient(dx.reshaped(average_pool_.output_shape()), nullptr);
  dx = last_pool_.input_gradient(dx, features_.relu_mask());
  features_.input_gradient(std::move(dx), read_gradient);
  forget();
}

void AlexNet::forget() {
  features_.forget();
  last_pool_.forget();
  mask2_ = Array();
  mask5_ = Array();
}

std::vector<weights::TensorDeclaration> declare_alexnet_features() {
  Declaration tensors;
  for (const FeatureConvolution& feature : feature_convolutions) {
    tensors.convolution(feature.name, feature.out_channels, feature.in_channels, feature.kernel, true);
  }
  return tensors.take();
}

std::vector<weights::TensorDeclaration> declare_alexnet(const AlexNetDescription& description) {
  Declaration tensors;
  for (const weights::TensorDeclaration& feature : declare_alexnet_features()) {
    tensors.tensor(feature.name, feature.shape);
  }
  tensors.linear("classifier.1", hidden_features, feature_convolutions.back().out_channels * pooled_side * pooled_side);
  tensors.linear("classifier.4", hidden_features, hidden_features);
  tensors.linear("classifier.6", description.classes, hidden_features);
  return tensors.take();
}

}  // namespace blindspot
