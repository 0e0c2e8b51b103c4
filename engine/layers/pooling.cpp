// Implementation of pooling.h.
#include "engine/layers/pooling.h"

namespace blindspot {

namespace {

std::int64_t pooled(std::int64_t size, const PoolDescription& pool) {
  return (size + 2 * pool.padding - pool.kernel) / pool.stride + 1;
}

}  // namespace

MaxPoolLayer::MaxPoolLayer(Device& device, const PoolDescription& pool, const Shape& input)
    : device_(&device),
      pool_(pool),
      input_(input),
      output_{input[0], pooled(input[1], pool), pooled(input[2], pool), input[3]} {}

Array MaxPoolLayer::forward(const Array& x) {
  index_ = device_->array(Type::index, output_);
  Array y = device_->activation(output_);
  device_->max_pool(x, pool_, y, index_);
  return y;
}

Array MaxPoolLayer::input_gradient(const Array& dy, const Array* input_mask) {
  Array dx = device_->activation(input_);
  device_->max_pool_gradient(dy, index_, pool_, dx, input_mask);
  return dx;
}

AveragePoolLayer::AveragePoolLayer(Device& device, const Shape& input, std::int64_t height, std::int64_t width)
    : device_(&device), input_(input), output_{input[0], height, width, input[3]} {}

Array AveragePoolLayer::forward(const Array& x) {
  Array y = device_->array(Type::float32, output_);
  if (x.type() == Type::float32) {
    device_->average_pool(x, y);
    return y;
  }
  Array wide = device_->array(Type::float32, input_);
  device_->convert(x, wide);
  device_->average_pool(wide, y);
  return y;
}

Array AveragePoolLayer::input_gradient(const Array& dy, const Array* input_mask) {
  Array wide = device_->array(Type::float32, input_);
  device_->average_pool_gradient(dy, wide, input_mask);
  if (device_->activation_type() == Type::float32) return wide;
  Array dx = device_->activation(input_);
  device_->convert(wide, dx);
  return dx;
}

}  // namespace blindspot
