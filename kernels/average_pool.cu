// Adaptive average pooling, x [N, H, W, C] → y [N, H', W', C]: output row r reads input rows ⌊rH/H'⌋ … ⌈(r+1)H/H'⌉ − 1,
// columns likewise, so windows may overlap and differ in size.
//
//   forward   y = (Σ x over the window)/(its size)
//   gradient  dx = m · Σ dy/(size) over the windows that read the pixel, m the ReLU's bit
//
// Sums run in row-major order in float32 and are rounded once. Both gather: no two threads write one element. Bytes:
// each array once, e an element (the windows' small side comes from cache), 1/8 a masked input.
#include "kernels/average_pool.cuh"

#include "kernels/image_rows.cuh"

namespace blindspot::kernels {
namespace {

// Loads of a row that are on their way together.
constexpr int average_taps_together = 4;

struct AverageSizes {
  int height, width, channels, out_height, out_width;
};

struct Range {
  int first, end;
};

/// Inputs that output `position` reads, on an axis of `in` inputs and `out` outputs.
__device__ Range inputs_of(int position, int in, int out) {
  const auto wide = static_cast<std::int64_t>(position) * in;
  return {static_cast<int>(wide / out), static_cast<int>((wide + in + out - 1) / out)};
}

/// Outputs that read input `position`.
__device__ Range outputs_of(int position, int in, int out) {
  const auto wide = static_cast<std::int64_t>(position) * out;
  return {static_cast<int>(wide / in), min(out, static_cast<int>((wide + out - 1) / in) + 1)};
}

template <class In, class Out, int width>
__global__ void average_pool_kernel(const In* x, Out* y, AverageSizes sizes) {
  const int image = static_cast<int>(blockIdx.x) / sizes.out_height;
  const int groups = sizes.channels / width;
  const Range rows = inputs_of(static_cast<int>(blockIdx.x) % sizes.out_height, sizes.height, sizes.out_height);
  for_items(static_cast<std::uint32_t>(sizes.out_width * groups), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / groups;
    const int channel = static_cast<int>(item) % groups * width;
    const Range columns = inputs_of(column, sizes.width, sizes.out_width);
    float sum[width] = {};
    for (int row = rows.first; row < rows.end; ++row) {
      const In* from =
          x + (static_cast<std::int64_t>(image) * sizes.height + row) * sizes.width * sizes.channels + channel;
      for (int first = columns.first; first < columns.end; first += average_taps_together) {
        Group<In, width> taps[average_taps_together] = {};
#pragma unroll
        for (int k = 0; k < average_taps_together; ++k) {
          if (first + k < columns.end) {
            taps[k] = load_group<In, width>(from + static_cast<std::int64_t>(first + k) * sizes.channels);
          }
        }
#pragma unroll
        for (int k = 0; k < average_taps_together; ++k) {
          if (first + k >= columns.end) continue;
#pragma unroll
          for (int i = 0; i < width; ++i) sum[i] += to_float(taps[k].values[i]);
        }
      }
    }
    const auto size = static_cast<float>((rows.end - rows.first) * (columns.end - columns.first));
#pragma unroll
    for (int i = 0; i < width; ++i) sum[i] /= size;
    const std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * sizes.out_width + column;
    store_group(sum, y + pixel * sizes.channels + channel);
  });
}

template <class In, class Out, int width>
__global__ void average_pool_gradient_kernel(const In* dy, const std::uint8_t* mask, Out* dx, AverageSizes sizes) {
  const int image = static_cast<int>(blockIdx.x) / sizes.height;
  const int groups = sizes.channels / width;
  const Range rows = outputs_of(static_cast<int>(blockIdx.x) % sizes.height, sizes.height, sizes.out_height);
  for_items(static_cast<std::uint32_t>(sizes.width * groups), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / groups;
    const int channel = static_cast<int>(item) % groups * width;
    const Range columns = outputs_of(column, sizes.width, sizes.out_width);
    const std::int64_t place =
        (static_cast<std::int64_t>(blockIdx.x) * sizes.width + column) * sizes.channels + channel;
    const std::uint32_t bits = group_bits<width>(mask, place);
    float sum[width] = {};
    for (int out_row = rows.first; out_row < rows.end; ++out_row) {
      const Range window_rows = inputs_of(out_row, sizes.height, sizes.out_height);
      for (int out_column = columns.first; out_column < columns.end; ++out_column) {
        const Range window_columns = inputs_of(out_column, sizes.width, sizes.out_width);
        const std::int64_t pixel =
            (static_cast<std::int64_t>(image) * sizes.out_height + out_row) * sizes.out_width + out_column;
        const Group<In, width> gradients = load_group<In, width>(dy + pixel * sizes.channels + channel);
        const auto size =
            static_cast<float>((window_rows.end - window_rows.first) * (window_columns.end - window_columns.first));
#pragma unroll
        for (int i = 0; i < width; ++i) sum[i] += to_float(gradients.values[i]) / size;
      }
    }
#pragma unroll
    for (int i = 0; i < width; ++i) sum[i] = (bits >> i & 1U) != 0 ? sum[i] : 0.0F;
    store_group(sum, dx + place);
  });
}

AverageSizes average_sizes(const AverageShape& shape) {
  return {static_cast<int>(shape.height), static_cast<int>(shape.width), static_cast<int>(shape.channels),
          static_cast<int>(shape.out_height), static_cast<int>(shape.out_width)};
}

/// run(network type, other type): the other is the same, or float32.
template <class Run>
cudaError_t with_elements(Element network, Element other, const Run& run) {
  if (other != network && other != Element::float32) return cudaErrorInvalidValue;
  return with_element(network, [&](auto zero) { return other == network ? run(zero, zero) : run(zero, 0.0F); });
}

}  // namespace

cudaError_t average_pool(const void* x, Element x_element, void* y, Element y_element, const AverageShape& shape,
                         cudaStream_t stream) {
  return with_elements(x_element, y_element, [&](auto x_zero, auto y_zero) {
    using In = decltype(x_zero);
    using Out = decltype(y_zero);
    using Wide = std::conditional_t<(sizeof(In) > sizeof(Out)), In, Out>;
    return with_group<Wide>(shape.channels, on_groups(x) && on_groups(y), [&](auto width) {
      return launch_rows(average_pool_kernel<In, Out, width.value>, shape.batch * shape.out_height,
                         shape.out_width * (shape.channels / width.value), stream, static_cast<const In*>(x),
                         static_cast<Out*>(y), average_sizes(shape));
    });
  });
}

cudaError_t average_pool_gradient(const void* dy, Element dy_element, const std::uint8_t* mask, void* dx,
                                  Element dx_element, const AverageShape& shape, cudaStream_t stream) {
  return with_elements(dx_element, dy_element, [&](auto dx_zero, auto dy_zero) {
    using In = decltype(dy_zero);
    using Out = decltype(dx_zero);
    using Wide = std::conditional_t<(sizeof(In) > sizeof(Out)), In, Out>;
    return with_group<Wide>(shape.channels, on_groups(dy) && on_groups(dx), [&](auto width) {
      return launch_rows(average_pool_gradient_kernel<In, Out, width.value>, shape.batch * shape.height,
                         shape.width * (shape.channels / width.value), stream, static_cast<const In*>(dy), mask,
                         static_cast<Out*>(dx), average_sizes(shape));
    });
  });
}

}  // namespace blindspot::kernels
