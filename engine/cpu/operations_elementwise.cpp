// ReLU, channel-wise affine maps, sums and GELU of the CPU device, each beside its gradient: checks of sizes, and the
// split of the array over threads. May use operations.h.
#include "engine/cpu/operations.h"

namespace blindspot::cpu {

void CpuDevice::relu(Array& x, Array& mask) {
  const std::int64_t count = x.shape().count();
  require(mask.type() == Type::mask && mask.shape().count() == count, "relu");
  with_element(x.type(), "relu", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).relu(elements<Element>(x) + first, elements<std::uint8_t>(mask) + first / 8,
                                           part);
    });
  });
}

void CpuDevice::relu_gradient(Array& dx, const Array& mask) {
  const std::int64_t count = dx.shape().count();
  require(mask.type() == Type::mask && mask.shape().count() == count, "relu_gradient");
  with_element(dx.type(), "relu_gradient", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).apply_mask(elements<Element>(dx) + first,
                                                 elements<std::uint8_t>(mask) + first / 8, part);
    });
  });
}

void CpuDevice::affine_relu(const Array& x, const Array& scale, const Array& shift, Array& y, Array& mask) {
  const std::int64_t count = x.shape().count();
  const std::int64_t channels = x.shape().last();
  require(y.type() == x.type() && y.shape().count() == count && y.shape().last() == channels &&
              scale.type() == Type::float32 && scale.shape().count() == channels && shift.type() == Type::float32 &&
              shift.shape().count() == channels && mask.type() == Type::mask && mask.shape().count() == count,
          "affine_relu");
  with_element(x.type(), "affine_relu", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).affine_relu(
          elements<Element>(x) + first, elements<float>(scale), elements<float>(shift), channels, first % channels,
          elements<Element>(y) + first, elements<std::uint8_t>(mask) + first / 8, part);
    });
  });
}

void CpuDevice::affine_relu_gradient(const Array& dy, const Array& scale, const Array& mask, Array& dx,
                                     bool accumulate) {
  const std::int64_t count = dy.shape().count();
  const std::int64_t channels = dy.shape().last();
  require(dx.type() == dy.type() && dx.shape().count() == count && scale.type() == Type::float32 &&
              scale.shape().count() == channels && mask.type() == Type::mask && mask.shape().count() == count,
          "affine_relu_gradient");
  with_element(dy.type(), "affine_relu_gradient", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).affine_relu_gradient(
          elements<Element>(dy) + first, elements<float>(scale), elements<std::uint8_t>(mask) + first / 8, channels,
          first % channels, elements<Element>(dx) + first, accumulate, part);
    });
  });
}

void CpuDevice::add(const Array& from, Array& to) {
  const std::int64_t count = to.shape().count();
  require(from.type() == to.type() && from.shape().count() == count, "add");
  with_element(to.type(), "add", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).add(elements<Element>(from) + first, elements<Element>(to) + first, part);
    });
  });
}

void CpuDevice::gelu(const Array& x, Array& y) {
  const std::int64_t count = x.shape().count();
  require(y.type() == x.type() && y.shape().count() == count, "gelu");
  with_element(x.type(), "gelu", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).gelu(elements<Element>(x) + first, elements<Element>(y) + first, part);
    });
  });
}

void CpuDevice::gelu_gradient(const Array& x, Array& dy) {
  const std::int64_t count = x.shape().count();
  require(dy.type() == x.type() && dy.shape().count() == count, "gelu_gradient");
  with_element(x.type(), "gelu_gradient", [&]<typename Element>(Element) {
    over_elements(*this, count, [&](std::int64_t first, std::int64_t part) {
      element_kernels<Element>(*this).gelu_gradient(elements<Element>(x) + first, elements<Element>(dy) + first, part);
    });
  });
}

}  // namespace blindspot::cpu
