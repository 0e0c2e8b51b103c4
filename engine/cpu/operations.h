// What the operations_*.cpp share: typed pointers into arrays, size checks, choosing loops by element type, splitting
// by blocks. May use cpu_device_class.h and vector_kernels.h.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/vector_kernels.h"

namespace blindspot::cpu {

/// About how many elements a thread should have at least: below it, starting the thread costs more than it saves.
inline constexpr std::int64_t elements_per_part = 8192;

template <typename Element>
Element* elements(const Array& array) {
  return reinterpret_cast<Element*>(array.data());
}

/// Throws Error(fault) naming the operation.
inline void require(bool fits, const char* operation) {
  if (!fits) throw Error(ErrorKind::fault, fmt::format("{}: types or sizes of its arrays do not fit", operation));
}

/// Elements of one image: all sizes but the first.
inline std::int64_t elements_per_image(const Array& array) {
  return array.shape().rank() == 0 || array.shape()[0] == 0 ? 0 : array.shape().count() / array.shape()[0];
}

/// Calls body(Element{}) with float or Bfloat16; other types are a fault.
template <typename Body>
void with_element(Type type, const char* operation, const Body& body) {
  if (type == Type::float32) return body(float{});
  require(type == Type::bfloat16, operation);
  body(Bfloat16{});
}

template <typename Element>
const ElementKernels<Element>& element_kernels(const CpuDevice& device) {
  if constexpr (sizeof(Element) == sizeof(float)) {
    return device.kernels().float32;
  } else {
    return device.kernels().bfloat16;
  }
}

/// body(first, count) over [0, count), parts beginning at multiples of block_elements.
template <typename Body>
void over_elements(const CpuDevice& device, std::int64_t count, const Body& body) {
  const std::int64_t blocks = (count + block_elements - 1) / block_elements;
  device.parallel_for(blocks, elements_per_part / block_elements, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * block_elements;
    body(first, std::min(end * block_elements, count) - first);
  });
}

/// The smallest number of rows of `width` elements that is worth a thread.
inline std::int64_t rows_per_part(std::int64_t width) {
  return std::max<std::int64_t>(1, elements_per_part / std::max<std::int64_t>(width, 1));
}

}  // namespace blindspot::cpu
