// Every second pixel of both axes, with channels of zeros before and after:
//
//   y[n, h, w, c] = x[n, 2h, 2w, c − before], zero outside; x [N, H, W, C], y [N, ⌈H/2⌉, ⌈W/2⌉, K], before = (K − C)/2
//   dx[n, 2h, 2w, c] = dy[n, h, w, c + before], zero elsewhere
//
// Elements are moved as bits, in units of 16 bytes where C, K and `before` are whole units, else of one element.
// Nothing is computed. Bytes: y or dx once, a quarter of x or the middle channels of dy.
#include "kernels/subsample_shortcut.cuh"

#include "kernels/image_rows.cuh"

namespace blindspot::kernels {
namespace {

/// In units.
struct ShortcutSizes {
  int height, width, channels, out_channels, before;
};

__device__ int halved(int size) {
  return (size + 1) / 2;
}

template <class Unit>
__global__ void subsample_shortcut_kernel(const Unit* x, Unit* y, ShortcutSizes sizes) {
  const int out_height = halved(sizes.height);
  const int out_width = halved(sizes.width);
  const std::int64_t image = static_cast<int>(blockIdx.x) / out_height;
  const std::int64_t from_row = image * sizes.height + 2 * (static_cast<int>(blockIdx.x) % out_height);
  for_items(static_cast<std::uint32_t>(out_width * sizes.out_channels), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / sizes.out_channels;
    const int channel = static_cast<int>(item) % sizes.out_channels - sizes.before;
    Unit unit = {};
    if (channel >= 0 && channel < sizes.channels) {
      unit = x[(from_row * sizes.width + 2 * column) * sizes.channels + channel];
    }
    y[static_cast<std::int64_t>(blockIdx.x) * out_width * sizes.out_channels + item] = unit;
  });
}

template <class Unit>
__global__ void subsample_shortcut_gradient_kernel(const Unit* dy, Unit* dx, ShortcutSizes sizes) {
  const int row = static_cast<int>(blockIdx.x) % sizes.height;
  const std::int64_t image = static_cast<int>(blockIdx.x) / sizes.height;
  const std::int64_t from_row = image * halved(sizes.height) + row / 2;
  for_items(static_cast<std::uint32_t>(sizes.width * sizes.channels), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / sizes.channels;
    const int channel = static_cast<int>(item) % sizes.channels + sizes.before;
    Unit unit = {};
    if (row % 2 == 0 && column % 2 == 0) {
      unit = dy[(from_row * halved(sizes.width) + column / 2) * sizes.out_channels + channel];
    }
    dx[static_cast<std::int64_t>(blockIdx.x) * sizes.width * sizes.channels + item] = unit;
  });
}

/// run(unit, elements of a unit) with the largest unit that fits.
template <class Bits, class Run>
cudaError_t with_unit(const ShortcutShape& shape, bool aligned, const Run& run) {
  constexpr std::int64_t together = Pack<Bits>::size;
  const std::int64_t before = (shape.out_channels - shape.channels) / 2;
  const bool whole = shape.channels % together == 0 && shape.out_channels % together == 0 && before % together == 0;
  return aligned && whole ? run(Pack<Bits>{}, together) : run(Bits{}, std::int64_t{1});
}

template <class Run>
cudaError_t with_unit(Element element, const ShortcutShape& shape, bool aligned, const Run& run) {
  return element == Element::float32 ? with_unit<std::uint32_t>(shape, aligned, run)
                                     : with_unit<std::uint16_t>(shape, aligned, run);
}

ShortcutSizes shortcut_sizes(const ShortcutShape& shape, std::int64_t unit) {
  return {static_cast<int>(shape.height), static_cast<int>(shape.width), static_cast<int>(shape.channels / unit),
          static_cast<int>(shape.out_channels / unit),
          static_cast<int>((shape.out_channels - shape.channels) / 2 / unit)};
}

}  // namespace

cudaError_t subsample_shortcut(const void* x, void* y, Element element, const ShortcutShape& shape,
                               cudaStream_t stream) {
  return with_unit(element, shape, on_groups(x) && on_groups(y), [&](auto zero, std::int64_t unit) {
    using Unit = decltype(zero);
    return launch_rows(subsample_shortcut_kernel<Unit>, shape.batch * ((shape.height + 1) / 2),
                       (shape.width + 1) / 2 * (shape.out_channels / unit), stream, static_cast<const Unit*>(x),
                       static_cast<Unit*>(y), shortcut_sizes(shape, unit));
  });
}

cudaError_t subsample_shortcut_gradient(const void* dy, void* dx, Element element, const ShortcutShape& shape,
                                        cudaStream_t stream) {
  return with_unit(element, shape, on_groups(dy) && on_groups(dx), [&](auto zero, std::int64_t unit) {
    using Unit = decltype(zero);
    return launch_rows(subsample_shortcut_gradient_kernel<Unit>, shape.batch * shape.height,
                       shape.width * (shape.channels / unit), stream, static_cast<const Unit*>(dy),
                       static_cast<Unit*>(dx), shortcut_sizes(shape, unit));
  });
}

}  // namespace blindspot::kernels
