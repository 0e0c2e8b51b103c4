// Implementation of reference_tensor.h.
#include "reference_tensor.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/arena.h"

namespace blindspot::tests {
namespace {

using cuda::TensorDescription;

template <typename Element>
Element read(const void* memory, std::int64_t element) {
  Element value;
  std::memcpy(&value, static_cast<const std::byte*>(memory) + element * std::int64_t{sizeof(Element)}, sizeof(Element));
  return value;
}

template <typename Element>
void write(void* memory, std::int64_t element, Element value) {
  std::memcpy(static_cast<std::byte*>(memory) + element * std::int64_t{sizeof(Element)}, &value, sizeof(Element));
}

/// Sizes and strides of a tensor in the order of Values.
struct Ordered {
  std::array<std::int64_t, 4> sizes{}, strides{};
};

Ordered ordered(const TensorDescription& tensor, Layout layout) {
  constexpr std::array<std::size_t, 4> channels_last = {0, 2, 3, 1};
  Ordered result;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t from = layout == Layout::channels_last ? channels_last.at(i) : i;
    result.sizes.at(i) = tensor.dimensions.at(from);
    result.strides.at(i) = tensor.strides.at(from);
  }
  return result;
}

/// Calls body(place in Values, element in memory) for every element.
template <typename Body>
void for_each_element(const Ordered& order, const Body& body) {
  const auto& [n, h, w, c] = order.sizes;
  const std::int64_t rows = n * h;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t place = row * order.sizes[2] * order.sizes[3];
    const std::int64_t start = row / order.sizes[1] * order.strides[0] + row % order.sizes[1] * order.strides[1];
    for (std::int64_t i = 0; i < order.sizes[2]; ++i) {
      for (std::int64_t j = 0; j < order.sizes[3]; ++j) {
        body(static_cast<std::size_t>(place++), start + i * order.strides[2] + j * order.strides[3]);
      }
    }
  }
}

}  // namespace

void check_tensor(const TensorDescription& tensor) {
  const auto refuse = [&](const char* reason) {
    throw Error(ErrorKind::fault, fmt::format("the tensor '{}' {}", tensor.name, reason));
  };
  if (tensor.dimensions.size() != 4 || tensor.strides.size() != 4) refuse("has not four dimensions");
  if (tensor.type != Type::float32 && tensor.type != Type::bfloat16 && tensor.type != Type::float16 &&
      tensor.type != Type::mask) {
    refuse("is of no type that the libraries know");
  }
  // From the fastest dimension on, each stride must step over all that the faster ones reach.
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  for (std::size_t i = 0; i < 4; ++i) {
    if (tensor.dimensions[i] < 1 || tensor.strides[i] < 1) refuse("has a dimension or stride below 1");
    if (tensor.dimensions[i] > 1) steps.emplace_back(tensor.strides[i], tensor.dimensions[i]);
  }
  std::sort(steps.begin(), steps.end());
  std::int64_t reached = 1;
  for (const auto& [stride, size] : steps) {
    if (stride < reached) refuse("has elements that overlap");
    reached = stride * (size - 1) + reached;
  }
}

std::size_t extent_bytes(const TensorDescription& tensor) {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < tensor.dimensions.size(); ++i) last += (tensor.dimensions[i] - 1) * tensor.strides[i];
  return array_bytes(tensor.type, {last + 1});
}

std::vector<std::int64_t> sizes_of(const TensorDescription& tensor, Layout layout) {
  const Ordered order = ordered(tensor, layout);
  return {order.sizes.begin(), order.sizes.end()};
}

Values load(const TensorDescription& tensor, const void* memory, Layout layout) {
  const Ordered order = ordered(tensor, layout);
  Values result{{order.sizes.begin(), order.sizes.end()}, {}};
  result.values.resize(static_cast<std::size_t>(order.sizes[0] * order.sizes[1] * order.sizes[2] * order.sizes[3]));
  for_each_element(order, [&](std::size_t place, std::int64_t element) {
    result.values[place] = element_at(tensor.type, memory, element);
  });
  return result;
}

void store(const Values& values, const TensorDescription& tensor, void* memory, Layout layout) {
  for_each_element(ordered(tensor, layout), [&](std::size_t place, std::int64_t element) {
    set_element(tensor.type, memory, element, values.values[place]);
  });
}

double element_at(Type type, const void* memory, std::int64_t element) {
  switch (type) {
    case Type::bfloat16:
      return static_cast<double>(__bfloat162float(read<__nv_bfloat16>(memory, element)));
    case Type::float16:
      return static_cast<double>(__half2float(read<__half>(memory, element)));
    case Type::mask:
      return read<std::uint8_t>(memory, element / 8) >> (element % 8) & 1;
    default:
      return static_cast<double>(read<float>(memory, element));
  }
}

void set_element(Type type, void* memory, std::int64_t element, double value) {
  const auto rounded = static_cast<float>(value);
  switch (type) {
    case Type::bfloat16:
      write(memory, element, __float2bfloat16_rn(rounded));
      break;
    case Type::float16:
      write(memory, element, __float2half_rn(rounded));
      break;
    default:
      write(memory, element, rounded);
      break;
  }
}

double rounded_to_tf32(double value) {
  if (!std::isfinite(value)) return value;
  // Half a unit more in magnitude, then the excess is cut; a carry into the exponent is right.
  const std::uint32_t bits = (std::bit_cast<std::uint32_t>(static_cast<float>(value)) + 0x1000U) & ~0x1FFFU;
  return static_cast<double>(std::bit_cast<float>(bits));
}

}  // namespace blindspot::tests
