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

}  // namespace blindspot::cuda
