// Layer norm and the token operations of transformers on the CUDA device, each beside its gradient: checks of sizes,
// and the launch. May use cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "kernels/layer_norm.cuh"
#include "kernels/token_assembly.cuh"

namespace blindspot::cuda {
namespace {

float* floats(const Array& array) {
  return reinterpret_cast<float*>(array.data());
}

bool is_vector(const Array& array, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == count;
}

/// Layer norm's side of the network may be float32 or what the rest is.
bool is_stream_of(const Array& stream, const Array& activation) {
  return stream.type() == Type::float32 || stream.type() == activation.type();
}

bool is_number(const Array& array) {
  return array.type() == Type::float32 || array.type() == Type::bfloat16 || array.type() == Type::float16;
}

/// tokens [N, 1 + P, C].
bool are_tokens(const Array& tokens) {
  return tokens.shape().rank() == 3 && tokens.shape()[1] >= 1 && is_number(tokens);
}

kernels::TokenShape token_shape(const Array& tokens) {
  const Shape& shape = tokens.shape();
  return {shape[0], shape[1] - 1, shape[2]};
}

bool are_patches_of(const Array& patches, const Array& tokens) {
  const Shape& shape = tokens.shape();
  return is_number(patches) && patches.shape().count() == shape[0] * (shape[1] - 1) * shape[2];
}

bool are_class_tokens_of(const Array& y, const Array& tokens) {
  return is_number(y) && y.shape().count() == tokens.shape()[0] * tokens.shape()[2];
}

}  // namespace

void CudaDevice::layer_norm(const Array& x, const Array& scale, const Array& shift, float epsilon, Array& y,
                            Array& normalised, Array& inverse_deviation) {
  const kernels::LayerNormShape shape = {x.shape().rows(), x.shape().last()};
  const std::int64_t count = x.shape().count();
  require_fit(y.shape().count() == count && normalised.shape().count() == count && y.type() == normalised.type() &&
                  is_stream_of(x, y) && is_vector(scale, shape.width) && is_vector(shift, shape.width) &&
                  is_vector(inverse_deviation, shape.rows),
              "layer_norm", x);
  const kernels::LayerNormArrays arrays = {.x = x.data(),
                                           .x_element = element_of(x.type()),
                                           .scale = floats(scale),
                                           .shift = floats(shift),
                                           .y = y.data(),
                                           .normalised = normalised.data(),
                                           .activation = element_of(y.type()),
                                           .inverse_deviation = floats(inverse_deviation)};
  launch("layer_norm", x, [&] { return kernels::layer_norm(shape, arrays, epsilon, stream()); });
}

void CudaDevice::layer_norm_gradient(const Array& dy, const Array& scale, const Array& normalised,
                                     const Array& inverse_deviation, Array& dx, bool accumulate) {
  const kernels::LayerNormShape shape = {dy.shape().rows(), dy.shape().last()};
  const std::int64_t count = dy.shape().count();
  require_fit(dx.shape().count() == count && normalised.shape().count() == count && dy.type() == normalised.type() &&
                  is_stream_of(dx, dy) && is_vector(scale, shape.width) && is_vector(inverse_deviation, shape.rows),
              "layer_norm_gradient", dy);
  const kernels::LayerNormGradientArrays arrays = {.dy = dy.data(),
                                                   .normalised = normalised.data(),
                                                   .activation = element_of(dy.type()),
                                                   .scale = floats(scale),
                                                   .inverse_deviation = floats(inverse_deviation),
                                                   .dx = dx.data(),
                                                   .dx_element = element_of(dx.type())};
  launch("layer_norm_gradient", dy, [&] { return kernels::layer_norm_gradient(shape, arrays, accumulate, stream()); });
}

void CudaDevice::assemble_tokens(const Array& patches, const Array& class_token, const Array& position, Array& tokens) {
  require_fit(are_tokens(tokens) && tokens.type() == Type::float32 && are_patches_of(patches, tokens) &&
                  is_vector(class_token, tokens.shape()[2]) &&
                  is_vector(position, tokens.shape()[1] * tokens.shape()[2]),
              "assemble_tokens", tokens);
  const kernels::Element element = element_of(patches.type());
  launch("assemble_tokens", tokens, [&] {
    return kernels::assemble_tokens(token_shape(tokens), patches.data(), element, floats(class_token), floats(position),
                                    floats(tokens), stream());
  });
}

void CudaDevice::assemble_tokens_gradient(const Array& dtokens, Array& dpatches) {
  require_fit(are_tokens(dtokens) && are_patches_of(dpatches, dtokens), "assemble_tokens_gradient", dtokens);
  launch("assemble_tokens_gradient", dtokens, [&] {
    return kernels::assemble_tokens_gradient(token_shape(dtokens), dtokens.data(), element_of(dtokens.type()),
                                             dpatches.data(), element_of(dpatches.type()), stream());
  });
}

void CudaDevice::class_token(const Array& tokens, Array& y) {
  require_fit(are_tokens(tokens) && are_class_tokens_of(y, tokens), "class_token", tokens);
  launch("class_token", tokens, [&] {
    return kernels::class_token(token_shape(tokens), tokens.data(), element_of(tokens.type()), y.data(),
                                element_of(y.type()), stream());
  });
}

void CudaDevice::class_token_gradient(const Array& dy, Array& dtokens) {
  require_fit(are_tokens(dtokens) && are_class_tokens_of(dy, dtokens), "class_token_gradient", dtokens);
  launch("class_token_gradient", dtokens, [&] {
    return kernels::class_token_gradient(token_shape(dtokens), dy.data(), element_of(dy.type()), dtokens.data(),
                                         element_of(dtokens.type()), stream());
  });
}

}  // namespace blindspot::cuda
