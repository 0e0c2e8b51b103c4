// ReLU, channel-wise affine maps, sums and GELU of the CUDA device, each beside its gradient: checks of sizes, and the
// launch. May use cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "kernels/affine_relu.cuh"
#include "kernels/gelu.cuh"
#include "kernels/masked_sum.cuh"
#include "kernels/relu.cuh"

namespace blindspot::cuda {
namespace {

std::uint8_t* bits(const Array& mask) {
  return reinterpret_cast<std::uint8_t*>(mask.data());
}

const float* floats_of(const Array& array) {
  return reinterpret_cast<const float*>(array.data());
}

bool is_mask_of(const Array& mask, const Array& x) {
  return mask.type() == Type::mask && mask.shape().count() == x.shape().count();
}

bool is_per_channel(const Array& values, const Array& x) {
  return values.type() == Type::float32 && values.shape().count() == x.shape().last();
}

bool is_like(const Array& y, const Array& x) {
  return y.type() == x.type() && y.shape().count() == x.shape().count();
}

kernels::AffineSizes affine_sizes(const Array& x) {
  return {x.shape().count(), x.shape().last()};
}

}  // namespace

void CudaDevice::relu(Array& x, Array& mask) {
  require_fit(is_mask_of(mask, x), "relu", x);
  const kernels::Element element = element_of(x.type());
  launch("relu", x, [&] { return kernels::relu(x.data(), bits(mask), element, x.shape().count(), stream()); });
}

void CudaDevice::relu_gradient(Array& dx, const Array& mask) {
  require_fit(is_mask_of(mask, dx), "relu_gradient", dx);
  const kernels::Element element = element_of(dx.type());
  launch("relu_gradient", dx,
         [&] { return kernels::relu_gradient(dx.data(), bits(mask), element, dx.shape().count(), stream()); });
}

void CudaDevice::affine_relu(const Array& x, const Array& scale, const Array& shift, Array& y, Array& mask) {
  require_fit(is_like(y, x) && y.shape().last() == x.shape().last() && is_per_channel(scale, x) &&
                  is_per_channel(shift, x) && is_mask_of(mask, x),
              "affine_relu", x);
  const kernels::Element element = element_of(x.type());
  launch("affine_relu", x, [&] {
    return kernels::affine_relu(x.data(), floats_of(scale), floats_of(shift), y.data(), bits(mask), element,
                                affine_sizes(x), stream());
  });
}

void CudaDevice::affine_relu_gradient(const Array& dy, const Array& scale, const Array& mask, Array& dx,
                                      bool accumulate) {
  require_fit(is_like(dx, dy) && is_per_channel(scale, dy) && is_mask_of(mask, dy), "affine_relu_gradient", dy);
  const kernels::Element element = element_of(dy.type());
  launch("affine_relu_gradient", dy, [&] {
    return kernels::affine_relu_gradient(dy.data(), floats_of(scale), bits(mask), dx.data(), accumulate, element,
                                         affine_sizes(dy), stream());
  });
}

void CudaDevice::add(const Array& from, Array& to) {
  require_fit(is_like(from, to), "add", to);
  const kernels::Element element = element_of(to.type());
  launch("add", to, [&] { return kernels::add(from.data(), to.data(), element, to.shape().count(), stream()); });
}

void CudaDevice::gelu(const Array& x, Array& y) {
  require_fit(is_like(y, x), "gelu", x);
  const kernels::Element element = element_of(x.type());
  launch("gelu", x, [&] { return kernels::gelu(x.data(), y.data(), element, x.shape().count(), stream()); });
}

void CudaDevice::gelu_gradient(const Array& x, Array& dy) {
  require_fit(is_like(dy, x), "gelu_gradient", x);
  const kernels::Element element = element_of(x.type());
  launch("gelu_gradient", x,
         [&] { return kernels::gelu_gradient(x.data(), dy.data(), element, x.shape().count(), stream()); });
}

}  // namespace blindspot::cuda
