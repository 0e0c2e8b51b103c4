// Gathering by offset and strides. Uses the standard library.
#include "weights/tensor_view.h"

#include <algorithm>
#include <cstring>

namespace blindspot::weights {
namespace {

template <std::size_t Size>
void gather_elements(const TensorInformation& tensor, const TensorView& view, std::byte* out) {
  const std::size_t rank = tensor.shape.size();
  const std::int64_t count = tensor.count();
  std::vector<std::int64_t> index(rank, 0);
  std::int64_t element = view.offset;
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(out + static_cast<std::size_t>(i) * Size,
                view.storage.data() + static_cast<std::size_t>(element) * Size, Size);
    for (std::size_t d = rank; d-- > 0;) {
      element += view.strides[d];
      if (++index[d] < tensor.shape[d]) break;
      element -= view.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
  }
}

void swap_bytes(std::vector<std::byte>& elements, std::size_t size) {
  for (std::size_t at = 0; at + size <= elements.size(); at += size) {
    std::reverse(elements.begin() + static_cast<std::ptrdiff_t>(at),
                 elements.begin() + static_cast<std::ptrdiff_t>(at + size));
  }
}

/// The elements where they lie, if they lie in row-major order.
std::span<const std::byte> row_major_bytes(const TensorInformation& tensor, const TensorView& view) {
  const auto size = static_cast<std::size_t>(size_of(tensor.type));
  return view.storage.subspan(static_cast<std::size_t>(view.offset) * size,
                              static_cast<std::size_t>(tensor.count()) * size);
}

}  // namespace

std::vector<std::byte> gather(const TensorInformation& tensor, const TensorView& view) {
  const auto size = static_cast<std::size_t>(size_of(tensor.type));
  std::vector<std::byte> out;
  if (view.strides.empty()) {
    const auto bytes = row_major_bytes(tensor, view);
    out.assign(bytes.begin(), bytes.end());
  } else {
    out.resize(static_cast<std::size_t>(tensor.count()) * size);
    switch (size) {
      case 1:
        gather_elements<1>(tensor, view, out.data());
        break;
      case 2:
        gather_elements<2>(tensor, view, out.data());
        break;
      case 4:
        gather_elements<4>(tensor, view, out.data());
        break;
      default:
        gather_elements<8>(tensor, view, out.data());
        break;
    }
  }
  if (view.big_endian && size > 1) swap_bytes(out, size);
  return out;
}

std::vector<float> gather_float32(const TensorInformation& tensor, const TensorView& view) {
  if (view.strides.empty() && !view.big_endian) return to_float32(tensor.type, row_major_bytes(tensor, view));
  return to_float32(tensor.type, gather(tensor, view));
}

bool is_row_major(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  std::int64_t expected = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

}  // namespace blindspot::weights
