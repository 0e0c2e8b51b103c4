// Implementation of convolution.h: the weights' order of dimensions, and where results are put.
#include "engine/layers/convolution.h"

#include <utility>

namespace blindspot {

ConvolutionDescription square_convolution(const Shape& input, std::int64_t out_channels, std::int64_t kernel,
                                          std::int64_t stride, std::int64_t padding) {
  ConvolutionDescription description;
  description.batch = input[0];
  description.height = input[1];
  description.width = input[2];
  description.in_channels = input[3];
  description.out_channels = out_channels;
  description.kernel_height = description.kernel_width = kernel;
  description.stride = stride;
  description.pad_top = description.pad_left = description.pad_bottom = description.pad_right = padding;
  return description;
}

std::vector<float> channels_last_weight(std::span<const float> weight, const ConvolutionDescription& description) {
  const std::int64_t outputs = description.out_channels;
  const std::int64_t inputs = description.in_channels;
  const std::int64_t taps = description.kernel_height * description.kernel_width;
  if (std::cmp_not_equal(weight.size(), outputs * inputs * taps)) {
    throw Error(ErrorKind::fault, "a convolution's weight has not the size of its description");
  }
  std::vector<float> result(weight.size());
  const float* from = weight.data();
  for (std::int64_t k = 0; k < outputs; ++k) {
    for (std::int64_t c = 0; c < inputs; ++c) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        result[static_cast<std::size_t>((k * taps + tap) * inputs + c)] = *from++;
      }
    }
  }
  return result;
}

ConvolutionLayer::ConvolutionLayer(Device& device, const ConvolutionDescription& description,
                                   const weights::FoldedConvolution& parameters)
    : device_(&device),
      description_(description),
      convolution_(
          device.convolution(description, channels_last_weight(parameters.weight, description), parameters.bias)) {}

Shape ConvolutionLayer::input_shape() const {
  return {description_.batch, description_.height, description_.width, description_.in_channels};
}

Shape ConvolutionLayer::output_shape() const {
  return {description_.batch, description_.out_height(), description_.out_width(), description_.out_channels};
}

Array ConvolutionLayer::forward(const Array& x) {
  return forward_into(x, device_->activation(output_shape()));
}

Array ConvolutionLayer::forward(const Array& x, Array residual) {
  return forward_into(x, std::move(residual));
}

Array ConvolutionLayer::forward_into(const Array& x, Array y) {
  if (description_.relu) relu_mask_ = device_->array(Type::mask, output_shape());
  convolution_->forward(x, y, description_.relu ? &relu_mask_ : nullptr);
  return y;
}

Array ConvolutionLayer::input_gradient(const Array& dy, const Array* input_mask) {
  return input_gradient(dy, device_->activation(input_shape()), input_mask);
}

Array ConvolutionLayer::input_gradient(const Array& dy, Array onto, const Array* input_mask) {
  convolution_->input_gradient(dy, onto, input_mask);
  return onto;
}

}  // namespace blindspot
