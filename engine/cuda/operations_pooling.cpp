// Max and average pooling and the subsampling shortcut on the CUDA device, each beside its gradient: checks of sizes,
// and the launch. May use cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "kernels/average_pool.cuh"
#include "kernels/max_pool.cuh"
#include "kernels/subsample_shortcut.cuh"

namespace blindspot::cuda {
namespace {

bool are_images(const Array& x, const Array& y) {  // [N, H, W, C] and [N, H', W', C]
  return x.shape().rank() == 4 && y.shape().rank() == 4 && x.shape()[0] == y.shape()[0] && x.shape()[3] == y.shape()[3];
}

/// The network's side may have any type of activation, the other side that type or float32.
bool is_average(const Array& network, const Array& other) {
  return are_images(network, other) && (other.type() == network.type() || other.type() == Type::float32);
}

bool is_mask_of(const Array* mask, const Array& x) {
  return mask == nullptr || (mask->type() == Type::mask && mask->shape().count() == x.shape().count());
}

bool is_pool(const Array& x, const PoolDescription& pool, const Array& y, const Array& index) {
  if (!are_images(x, y) || x.type() != y.type()) return false;
  if (index.type() != Type::index || index.shape() != y.shape()) return false;
  // The index is a byte; a window of padding alone has no maximum.
  if (pool.stride < 1 || pool.kernel < 1 || pool.kernel > 15 || pool.padding < 0 || pool.padding * 2 > pool.kernel) {
    return false;
  }
  const auto pooled = [&](std::int64_t size) { return (size + 2 * pool.padding - pool.kernel) / pool.stride + 1; };
  return y.shape()[1] == pooled(x.shape()[1]) && y.shape()[2] == pooled(x.shape()[2]);
}

bool is_shortcut(const Array& x, const Array& y) {  // [N, H, W, C] and [N, ⌈H/2⌉, ⌈W/2⌉, K], K ≥ C
  const Shape& in = x.shape();
  const Shape& out = y.shape();
  return in.rank() == 4 && out.rank() == 4 && in[0] == out[0] && (in[1] + 1) / 2 == out[1] &&
         (in[2] + 1) / 2 == out[2] && in[3] <= out[3] && x.type() == y.type();
}

std::uint8_t* bytes(const Array& array) {
  return reinterpret_cast<std::uint8_t*>(array.data());
}

const std::uint8_t* bits(const Array* mask) {
  return mask == nullptr ? nullptr : bytes(*mask);
}

kernels::ImageShape image_shape(const Array& x) {
  return {x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3]};
}

kernels::PoolWindow pool_window(const PoolDescription& pool) {
  return {pool.kernel, pool.stride, pool.padding};
}

kernels::AverageShape average_shape(const Array& x, const Array& y) {
  return {x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3], y.shape()[1], y.shape()[2]};
}

kernels::ShortcutShape shortcut_shape(const Array& x, const Array& y) {
  return {x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3], y.shape()[3]};
}

}  // namespace

void CudaDevice::max_pool(const Array& x, const PoolDescription& pool, Array& y, Array& index) {
  require_fit(is_pool(x, pool, y, index), "max_pool", x);
  const kernels::Element element = element_of(x.type());
  launch("max_pool", x, [&] {
    return kernels::max_pool(x.data(), y.data(), bytes(index), element, image_shape(x), pool_window(pool), stream());
  });
}

void CudaDevice::max_pool_gradient(const Array& dy, const Array& index, const PoolDescription& pool, Array& dx,
                                   const Array* relu_mask) {
  require_fit(is_pool(dx, pool, dy, index) && is_mask_of(relu_mask, dx), "max_pool_gradient", dx);
  const kernels::Element element = element_of(dx.type());
  launch("max_pool_gradient", dx, [&] {
    return kernels::max_pool_gradient(dy.data(), bytes(index), bits(relu_mask), dx.data(), element, image_shape(dx),
                                      pool_window(pool), stream());
  });
}

void CudaDevice::average_pool(const Array& x, Array& y) {
  require_fit(is_average(x, y), "average_pool", x);
  const kernels::Element from = element_of(x.type());
  const kernels::Element to = element_of(y.type());
  launch("average_pool", x,
         [&] { return kernels::average_pool(x.data(), from, y.data(), to, average_shape(x, y), stream()); });
}

void CudaDevice::average_pool_gradient(const Array& dy, Array& dx, const Array* relu_mask) {
  require_fit(is_average(dx, dy) && is_mask_of(relu_mask, dx), "average_pool_gradient", dx);
  const kernels::Element from = element_of(dy.type());
  const kernels::Element to = element_of(dx.type());
  launch("average_pool_gradient", dx, [&] {
    return kernels::average_pool_gradient(dy.data(), from, bits(relu_mask), dx.data(), to, average_shape(dx, dy),
                                          stream());
  });
}

void CudaDevice::subsample_shortcut(const Array& x, Array& y) {
  require_fit(is_shortcut(x, y), "subsample_shortcut", x);
  const kernels::Element element = element_of(x.type());
  launch("subsample_shortcut", x,
         [&] { return kernels::subsample_shortcut(x.data(), y.data(), element, shortcut_shape(x, y), stream()); });
}

void CudaDevice::subsample_shortcut_gradient(const Array& dy, Array& dx) {
  require_fit(is_shortcut(dx, dy), "subsample_shortcut_gradient", dx);
  const kernels::Element element = element_of(dx.type());
  launch("subsample_shortcut_gradient", dx, [&] {
    return kernels::subsample_shortcut_gradient(dy.data(), dx.data(), element, shortcut_shape(dx, dy), stream());
  });
}

}  // namespace blindspot::cuda
