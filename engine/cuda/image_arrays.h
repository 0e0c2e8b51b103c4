// Arrays whose first size is a batch of images, as kernels take them: pointers and counts. May use device.h only.
#pragma once

#include <cstdint>

#include "engine/device.h"

namespace blindspot::cuda {

template <typename Element>
Element* elements(const Array& array) {
  return reinterpret_cast<Element*>(array.data());
}

/// Images of a batch, the first size.
inline std::int64_t images_of(const Array& array) {
  return array.shape().rank() == 0 ? 0 : array.shape()[0];
}

/// Elements of one image: all sizes but the first.
inline std::int64_t image_elements(const Array& array) {
  const std::int64_t images = images_of(array);
  return images == 0 ? 0 : array.shape().count() / images;
}

/// `count` float32, of any shape.
inline bool are_floats(const Array& array, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == count;
}

/// `count` uint8, of any shape.
inline bool are_bytes(const Array& array, std::int64_t count) {
  return array.type() == Type::uint8 && array.shape().count() == count;
}

}  // namespace blindspot::cuda
