// Shapes and arrays: the part of the device boundary that is the same for every device. May use device.h only.
#include "engine/device.h"

#include <fmt/format.h>

#include <utility>

namespace blindspot {

Shape::Shape(std::initializer_list<std::int64_t> sizes) {
  if (sizes.size() > sizes_.size()) throw Error(ErrorKind::fault, "a shape has at most five dimensions");
  for (const std::int64_t size : sizes) {
    if (size < 0) throw Error(ErrorKind::fault, fmt::format("a shape cannot have the size {}", size));
    sizes_.at(static_cast<std::size_t>(rank_++)) = size;
  }
}

std::int64_t Shape::count() const {
  std::int64_t product = 1;
  for (int dimension = 0; dimension < rank_; ++dimension) product *= (*this)[dimension];
  return product;
}

std::string Shape::text() const {
  std::string sizes;
  for (int dimension = 0; dimension < rank_; ++dimension) {
    sizes += fmt::format("{}{}", dimension == 0 ? "" : ", ", (*this)[dimension]);
  }
  return fmt::format("[{}]", sizes);
}

std::size_t element_bytes(Type type) {
  switch (type) {
    case Type::float32:
    case Type::int32:
      return 4;
    case Type::bfloat16:
    case Type::float16:
      return 2;
    case Type::uint8:
    case Type::index:
      return 1;
    case Type::mask:
      break;
  }
  throw Error(ErrorKind::fault, "the elements of a mask have no size in bytes");
}

Array::Array(Array&& other) noexcept
    : type_(other.type_),
      shape_(std::exchange(other.shape_, Shape())),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      owner_(std::exchange(other.owner_, nullptr)) {}

Array& Array::operator=(Array&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->release(data_, bytes_);
  type_ = other.type_;
  shape_ = std::exchange(other.shape_, Shape());
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  owner_ = std::exchange(other.owner_, nullptr);
  return *this;
}

Array::~Array() {
  if (owner_ != nullptr) owner_->release(data_, bytes_);
}

Array Array::slice(std::int64_t first, std::int64_t count) const {
  if (type_ == Type::mask || shape_.rank() == 0 || first < 0 || count < 0 || first + count > shape_[0]) {
    throw Error(ErrorKind::fault,
                fmt::format("no entries {} to {} in an array {}", first, first + count, shape_.text()));
  }
  const std::int64_t entry = shape_[0] == 0 ? 0 : shape_.count() / shape_[0];
  const auto entry_bytes = static_cast<std::size_t>(entry) * element_bytes(type_);
  Shape shape;
  switch (shape_.rank()) {
    case 1:
      shape = {count};
      break;
    case 2:
      shape = {count, shape_[1]};
      break;
    case 3:
      shape = {count, shape_[1], shape_[2]};
      break;
    case 4:
      shape = {count, shape_[1], shape_[2], shape_[3]};
      break;
    default:
      shape = {count, shape_[1], shape_[2], shape_[3], shape_[4]};
      break;
  }
  return {type_, shape, data_ + static_cast<std::size_t>(first) * entry_bytes,
          static_cast<std::size_t>(count) * entry_bytes, nullptr};
}

Array Array::reshaped(Shape shape) const {
  if (shape.count() != shape_.count()) {
    throw Error(ErrorKind::fault, fmt::format("an array {} cannot be seen as {}", shape_.text(), shape.text()));
  }
  return {type_, shape, data_, bytes_, nullptr};
}

}  // namespace blindspot
