// Max pooling, x [N, H, W, C] → y and index [N, H', W', C], H' = (H + 2·padding − kernel)/stride + 1 and W' likewise.
//
//   forward   y = max over the taps (i, j) of x[n, r·stride − padding + i, c·stride − padding + j, k] that lie inside;
//             index = i·kernel + j of the winner, one byte.
//   gradient  dx[n, h, w, k] = m · Σ dy over the windows that hold (h, w) and whose index names it, m the ReLU's bit.
//
// The gradient gathers: each thread sums what belongs to its element in row-major order of the windows, in float32, and
// rounds once; no two threads write one element. Bytes: x and dx once each from memory (windows overlap in cache), one
// element and one byte an output, 1/8 a masked input.
#include "kernels/max_pool.cuh"

#include "kernels/image_rows.cuh"

namespace blindspot::kernels {
namespace {

struct PoolSizes {
  int height, width, channels, out_height, out_width, kernel, stride, padding;
};

// Loads that are on their way together: taps of a row in the forward pass, windows of a row in the gradient.
constexpr int max_taps_together = 3;
constexpr int windows_together = 2;

/// The index bytes of a group, lowest first.
template <int width>
using IndexWord =
    std::conditional_t<width == 8, std::uint64_t, std::conditional_t<width == 4, std::uint32_t, std::uint8_t>>;

/// Where a group of an output pixel begins in y and index.
__device__ std::int64_t output_place(const PoolSizes& sizes, int image, int row, int column, int channel) {
  return ((static_cast<std::int64_t>(image) * sizes.out_height + row) * sizes.out_width + column) * sizes.channels +
         channel;
}

template <class T, int width>
__global__ void max_pool_kernel(const T* x, T* y, std::uint8_t* index, PoolSizes sizes) {
  const int image = static_cast<int>(blockIdx.x) / sizes.out_height;
  const int row = static_cast<int>(blockIdx.x) % sizes.out_height;
  const int groups = sizes.channels / width;
  const std::int64_t row_elements = static_cast<std::int64_t>(sizes.width) * sizes.channels;
  for_items(static_cast<std::uint32_t>(sizes.out_width * groups), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / groups;
    const int channel = static_cast<int>(item) % groups * width;
    const int top = row * sizes.stride - sizes.padding;
    const int left = column * sizes.stride - sizes.padding;
    float best[width];
    std::uint32_t winner[width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
      best[i] = -INFINITY;
      winner[i] = static_cast<std::uint32_t>(max(0, -top) * sizes.kernel + max(0, -left));
    }
    for (int tap_row = max(0, -top); tap_row < min(sizes.kernel, sizes.height - top); ++tap_row) {
      const T* from = x + (static_cast<std::int64_t>(image) * sizes.height + top + tap_row) * row_elements + channel;
      for (int first = 0; first < sizes.kernel; first += max_taps_together) {
        Group<T, width> taps[max_taps_together];
        bool inside[max_taps_together];
#pragma unroll
        for (int k = 0; k < max_taps_together; ++k) {
          const int from_column = left + first + k;
          inside[k] = first + k < sizes.kernel && from_column >= 0 && from_column < sizes.width;
          if (inside[k]) taps[k] = load_group<T, width>(from + static_cast<std::int64_t>(from_column) * sizes.channels);
        }
#pragma unroll
        for (int k = 0; k < max_taps_together; ++k) {
          if (!inside[k]) continue;
          const auto tap = static_cast<std::uint32_t>(tap_row * sizes.kernel + first + k);
#pragma unroll
          for (int i = 0; i < width; ++i) {
            const float value = to_float(taps[k].values[i]);
            const bool wins = value > best[i] || value != value;
            best[i] = wins ? value : best[i];
            winner[i] = wins ? tap : winner[i];
          }
        }
      }
    }
    const std::int64_t place = output_place(sizes, image, row, column, channel);
    IndexWord<width> word = 0;
#pragma unroll
    for (int i = 0; i < width; ++i) {
      word = static_cast<IndexWord<width>>(word | static_cast<IndexWord<width>>(winner[i]) << (8 * i));
    }
    store_group(best, y + place);
    *accessed_as<IndexWord<width>>(index + place) = word;
  });
}

template <class T, int width>
__global__ void max_pool_gradient_kernel(const T* dy, const std::uint8_t* index, const std::uint8_t* mask, T* dx,
                                         PoolSizes sizes) {
  const int image = static_cast<int>(blockIdx.x) / sizes.height;
  const int row = static_cast<int>(blockIdx.x) % sizes.height;
  const int groups = sizes.channels / width;
  for_items(static_cast<std::uint32_t>(sizes.width * groups), [&](std::uint32_t item) {
    const int column = static_cast<int>(item) / groups;
    const int channel = static_cast<int>(item) % groups * width;
    // Windows that hold the pixel: those that begin at most kernel − 1 before it.
    const int below = row + sizes.padding;
    const int right = column + sizes.padding;
    const int first_row = below < sizes.kernel ? 0 : (below - sizes.kernel) / sizes.stride + 1;
    const int first_column = right < sizes.kernel ? 0 : (right - sizes.kernel) / sizes.stride + 1;
    const int last_row = min(sizes.out_height - 1, below / sizes.stride);
    const int last_column = min(sizes.out_width - 1, right / sizes.stride);
    const std::int64_t place =
        (static_cast<std::int64_t>(blockIdx.x) * sizes.width + column) * sizes.channels + channel;
    const std::uint32_t bits = group_bits<width>(mask, place);
    float sum[width] = {};
    for (int out_row = first_row; out_row <= last_row; ++out_row) {
      for (int first = first_column; first <= last_column; first += windows_together) {
        Group<T, width> gradients[windows_together];
        IndexWord<width> words[windows_together];
#pragma unroll
        for (int k = 0; k < windows_together; ++k) {
          if (first + k > last_column) continue;
          const std::int64_t from = output_place(sizes, image, out_row, first + k, channel);
          gradients[k] = load_group<T, width>(dy + from);
          words[k] = *accessed_as<const IndexWord<width>>(index + from);
        }
#pragma unroll
        for (int k = 0; k < windows_together; ++k) {
          if (first + k > last_column) continue;
          const int tap = (below - out_row * sizes.stride) * sizes.kernel + right - (first + k) * sizes.stride;
#pragma unroll
          for (int i = 0; i < width; ++i) {
            const bool here = (words[k] >> (8 * i) & 0xffU) == static_cast<std::uint32_t>(tap);
            sum[i] += here ? to_float(gradients[k].values[i]) : 0.0F;
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < width; ++i) sum[i] = (bits >> i & 1U) != 0 ? sum[i] : 0.0F;
    store_group(sum, dx + place);
  });
}

PoolSizes pool_sizes(const ImageShape& in, const PoolWindow& window) {
  const auto pooled = [&](std::int64_t size) {
    return static_cast<int>((size + 2 * window.padding - window.kernel) / window.stride + 1);
  };
  return {static_cast<int>(in.height),
          static_cast<int>(in.width),
          static_cast<int>(in.channels),
          pooled(in.height),
          pooled(in.width),
          static_cast<int>(window.kernel),
          static_cast<int>(window.stride),
          static_cast<int>(window.padding)};
}

}  // namespace

cudaError_t max_pool(const void* x, void* y, std::uint8_t* index, Element element, const ImageShape& in,
                     const PoolWindow& window, cudaStream_t stream) {
  const PoolSizes sizes = pool_sizes(in, window);
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return with_group<T>(in.channels, on_groups(x) && on_groups(y) && on_groups(index), [&](auto width) {
      return launch_rows(max_pool_kernel<T, width.value>, in.batch * sizes.out_height,
                         sizes.out_width * (in.channels / width.value), stream, static_cast<const T*>(x),
                         static_cast<T*>(y), index, sizes);
    });
  });
}

cudaError_t max_pool_gradient(const void* dy, const std::uint8_t* index, const std::uint8_t* mask, void* dx,
                              Element element, const ImageShape& in, const PoolWindow& window, cudaStream_t stream) {
  const PoolSizes sizes = pool_sizes(in, window);
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return with_group<T>(in.channels, on_groups(dy) && on_groups(dx) && on_groups(index), [&](auto width) {
      return launch_rows(max_pool_gradient_kernel<T, width.value>, in.batch * in.height,
                         in.width * (in.channels / width.value), stream, static_cast<const T*>(dy), index, mask,
                         static_cast<T*>(dx), sizes);
    });
  });
}

}  // namespace blindspot::kernels
