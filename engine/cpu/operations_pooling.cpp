// Max and average pooling and the subsampling shortcut on the CPU device, each beside its gradient. Gradients gather,
// so that no two threads write one element. May use operations.h.
#include <cstring>

#include "engine/cpu/operations.h"

namespace blindspot::cpu {
namespace {

/// From a position on one axis: the first of the outer positions that it meets, and how many there are.
struct Range {
  std::int64_t first, count;
};

/// Taps of output `position` that lie inside the input.
Range taps_inside(std::int64_t position, const PoolDescription& pool, std::int64_t in) {
  const std::int64_t origin = position * pool.stride - pool.padding;
  const std::int64_t first = std::max<std::int64_t>(0, -origin);
  return {first, std::min(pool.kernel, in - origin) - first};
}

/// Outputs whose window holds input `position`.
Range windows_holding(std::int64_t position, const PoolDescription& pool, std::int64_t out) {
  const std::int64_t padded = position + pool.padding;
  const std::int64_t first = padded < pool.kernel ? 0 : (padded - pool.kernel) / pool.stride + 1;
  return {first, std::min(out - 1, padded / pool.stride) - first + 1};
}

/// Outputs of an adaptive average that read input `position`.
Range averages_holding(std::int64_t position, std::int64_t in, std::int64_t out) {
  const std::int64_t first = position * out / in;
  return {first, std::min(out - 1, ((position + 1) * out - 1) / in) - first + 1};
}

MaskBits mask_bits(const Array* relu_mask, std::int64_t first) {
  return {relu_mask == nullptr ? nullptr : elements<const std::uint8_t>(*relu_mask), first};
}

bool are_images(const Array& x, const Array& y) {  // [N, H, W, C] and [N, H', W', C]
  return x.shape().rank() == 4 && y.shape().rank() == 4 && x.shape()[0] == y.shape()[0] &&
         x.shape()[3] == y.shape()[3] && x.type() == y.type();
}

bool is_mask_of(const Array* mask, const Array& x) {
  return mask == nullptr || (mask->type() == Type::mask && mask->shape().count() == x.shape().count());
}

bool is_pool(const Array& x, const PoolDescription& pool, const Array& y, const Array& index) {
  if (!are_images(x, y) || index.type() != Type::index || index.shape() != y.shape()) return false;
  // The index is a byte, of which 255 is no tap; a window of padding alone has no maximum.
  if (pool.stride < 1 || pool.kernel < 1 || pool.kernel > 15 || pool.padding * 2 > pool.kernel) return false;
  const std::int64_t height = (x.shape()[1] + 2 * pool.padding - pool.kernel) / pool.stride + 1;
  const std::int64_t width = (x.shape()[2] + 2 * pool.padding - pool.kernel) / pool.stride + 1;
  return y.shape()[1] == height && y.shape()[2] == width;
}

/// Calls body(image, row, column, pixel) for every pixel of [N, H, W, C], in parallel over rows.
template <typename Body>
void over_pixels(const CpuDevice& device, const Shape& shape, const Body& body) {
  const std::int64_t height = shape[1];
  const std::int64_t width = shape[2];
  device.parallel_for(shape[0] * height, rows_per_part(width * shape[3]), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      for (std::int64_t column = 0; column < width; ++column) {
        body(at / height, at % height, column, at * width + column);
      }
    }
  });
}

}  // namespace

void CpuDevice::max_pool(const Array& x, const PoolDescription& pool, Array& y, Array& index) {
  require(is_pool(x, pool, y, index), "max_pool");
  const std::int64_t height = x.shape()[1];
  const std::int64_t width = x.shape()[2];
  const std::int64_t channels = x.shape()[3];
  const int kernel = static_cast<int>(pool.kernel);
  with_element(x.type(), "max_pool", [&]<typename Element>(Element) {
    over_pixels(*this, y.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
      const Range rows = taps_inside(row, pool, height);
      const Range columns = taps_inside(column, pool, width);
      const std::int64_t from_row = row * pool.stride - pool.padding + rows.first;
      const std::int64_t from_column = column * pool.stride - pool.padding + columns.first;
      const PoolRectangle taps = {.rows = rows.count,
                                  .columns = columns.count,
                                  .row_stride = width * channels,
                                  .column_stride = channels,
                                  .first_tap = static_cast<int>(rows.first * pool.kernel + columns.first),
                                  .tap_row_step = kernel,
                                  .tap_column_step = 1};
      element_kernels<Element>(*this).max_pool(
          elements<Element>(x) + ((image * height + from_row) * width + from_column) * channels, taps, channels,
          elements<Element>(y) + pixel * channels, elements<std::uint8_t>(index) + pixel * channels);
    });
  });
}

void CpuDevice::max_pool_gradient(const Array& dy, const Array& index, const PoolDescription& pool, Array& dx,
                                  const Array* relu_mask) {
  require(is_pool(dx, pool, dy, index) && is_mask_of(relu_mask, dx), "max_pool_gradient");
  const std::int64_t out_height = dy.shape()[1];
  const std::int64_t out_width = dy.shape()[2];
  const std::int64_t channels = dx.shape()[3];
  with_element(dx.type(), "max_pool_gradient", [&]<typename Element>(Element) {
    over_pixels(*this, dx.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
      const Range rows = windows_holding(row, pool, out_height);
      const Range columns = windows_holding(column, pool, out_width);
      const std::int64_t tap_row = row + pool.padding - rows.first * pool.stride;
      const std::int64_t tap_column = column + pool.padding - columns.first * pool.stride;
      const PoolRectangle windows = {.rows = rows.count,
                                     .columns = columns.count,
                                     .row_stride = out_width * channels,
                                     .column_stride = channels,
                                     .first_tap = static_cast<int>(tap_row * pool.kernel + tap_column),
                                     .tap_row_step = -static_cast<int>(pool.stride * pool.kernel),
                                     .tap_column_step = -static_cast<int>(pool.stride)};
      const std::int64_t first = ((image * out_height + rows.first) * out_width + columns.first) * channels;
      element_kernels<Element>(*this).max_pool_gradient(
          elements<Element>(dy) + first, elements<std::uint8_t>(index) + first, windows, channels,
          mask_bits(relu_mask, pixel * channels), elements<Element>(dx) + pixel * channels);
    });
  });
}

void CpuDevice::average_pool(const Array& x, Array& y) {
  require(are_images(x, y), "average_pool");
  const std::int64_t height = x.shape()[1];
  const std::int64_t width = x.shape()[2];
  const std::int64_t channels = x.shape()[3];
  const std::int64_t out_height = y.shape()[1];
  const std::int64_t out_width = y.shape()[2];
  with_element(x.type(), "average_pool", [&]<typename Element>(Element) {
    over_pixels(*this, y.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
      const std::int64_t top = row * height / out_height;
      const std::int64_t left = column * width / out_width;
      const PoolRectangle taps = {.rows = ((row + 1) * height + out_height - 1) / out_height - top,
                                  .columns = ((column + 1) * width + out_width - 1) / out_width - left,
                                  .row_stride = width * channels,
                                  .column_stride = channels,
                                  .first_tap = 0,
                                  .tap_row_step = 0,
                                  .tap_column_step = 0};
      element_kernels<Element>(*this).average_pool(
          elements<Element>(x) + ((image * height + top) * width + left) * channels, taps, channels,
          elements<Element>(y) + pixel * channels);
    });
  });
}

void CpuDevice::average_pool_gradient(const Array& dy, Array& dx, const Array* relu_mask) {
  require(are_images(dx, dy) && is_mask_of(relu_mask, dx), "average_pool_gradient");
  const std::int64_t height = dx.shape()[1];
  const std::int64_t width = dx.shape()[2];
  const std::int64_t channels = dx.shape()[3];
  const std::int64_t out_height = dy.shape()[1];
  const std::int64_t out_width = dy.shape()[2];
  with_element(dx.type(), "average_pool_gradient", [&]<typename Element>(Element) {
    over_pixels(*this, dx.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
      const Range rows = averages_holding(row, height, out_height);
      const Range columns = averages_holding(column, width, out_width);
      const AdaptiveWindows windows = {.first_row = rows.first,
                                       .rows = rows.count,
                                       .in_height = height,
                                       .out_height = out_height,
                                       .first_column = columns.first,
                                       .columns = columns.count,
                                       .in_width = width,
                                       .out_width = out_width};
      element_kernels<Element>(*this).average_pool_gradient(
          elements<Element>(dy) + image * out_height * out_width * channels, windows, channels,
          mask_bits(relu_mask, pixel * channels), elements<Element>(dx) + pixel * channels);
    });
  });
}

namespace {

/// x [N, H, W, C] and y [N, ⌈H/2⌉, ⌈W/2⌉, K], K ≥ C.
void require_shortcut(const Array& x, const Array& y, const char* operation) {
  const Shape& in = x.shape();
  const Shape& out = y.shape();
  require(in.rank() == 4 && out.rank() == 4 && in[0] == out[0] && (in[1] + 1) / 2 == out[1] &&
              (in[2] + 1) / 2 == out[2] && in[3] <= out[3] && x.type() == y.type(),
          operation);
}

}  // namespace

void CpuDevice::subsample_shortcut(const Array& x, Array& y) {
  require_shortcut(x, y, "subsample_shortcut");
  const Shape& in = x.shape();
  const std::size_t element = element_bytes(x.type());
  const std::size_t in_bytes = static_cast<std::size_t>(in[3]) * element;
  const std::size_t out_bytes = static_cast<std::size_t>(y.shape()[3]) * element;
  const std::size_t before = static_cast<std::size_t>((y.shape()[3] - in[3]) / 2) * element;
  over_pixels(*this, y.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
    const auto from = static_cast<std::size_t>((image * in[1] + 2 * row) * in[2] + 2 * column);
    std::byte* to = y.data() + static_cast<std::size_t>(pixel) * out_bytes;
    std::memset(to, 0, out_bytes);
    std::memcpy(to + before, x.data() + from * in_bytes, in_bytes);
  });
}

void CpuDevice::subsample_shortcut_gradient(const Array& dy, Array& dx) {
  require_shortcut(dx, dy, "subsample_shortcut_gradient");
  const Shape& out = dy.shape();
  const std::size_t element = element_bytes(dx.type());
  const std::size_t in_bytes = static_cast<std::size_t>(dx.shape()[3]) * element;
  const std::size_t out_bytes = static_cast<std::size_t>(out[3]) * element;
  const std::size_t before = static_cast<std::size_t>((out[3] - dx.shape()[3]) / 2) * element;
  over_pixels(*this, dx.shape(), [&](std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t pixel) {
    std::byte* to = dx.data() + static_cast<std::size_t>(pixel) * in_bytes;
    if (row % 2 != 0 || column % 2 != 0) {
      std::memset(to, 0, in_bytes);
      return;
    }
    const auto from = static_cast<std::size_t>((image * out[1] + row / 2) * out[2] + column / 2);
    std::memcpy(to, dy.data() + from * out_bytes + before, in_bytes);
  });
}

}  // namespace blindspot::cpu
