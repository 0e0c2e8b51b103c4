// y = relu?(x·wᵀ (+ y) (+ bias)), bits of the ReLU written, of a convolution of 1×1 taps and stride 1; and the input
// gradient dx = m ⊙ (dy·w (+ dx)), m a ReLU's bits, which is the same product with the weights transposed.
//
// x [P, C], w [K, C], y [P, K], channels innermost. Bytes: x, w and y once each from memory (blocks that share x run
// next to each other, so that all but the first find it in the cache), y once more where it is added, 1/8 of an element
// for a mask. Operations: 2·P·C·K, on tensor cores: 16-bit factors, or float32 rounded to TF32. Sums float32, always in
// the order of the channels; the epilogue in float32, in the order written, rounded once.
//
// A block makes 128 pixels by 64 or 128 channels of y. Steps of 128 bytes of channels of x and w stream through shared
// memory, three on the way at a time. A row there is eight 16-byte chunks, chunk c of row r at place c xor r mod 8, so
// that the words of a fragment (row g, word t of a chunk) lie in 32 banks. A warp makes 32 pixels by half the block's
// channels; rows of w stand in shared memory in such an order that a lane's eight sums of four neighbouring mma are
// eight neighbouring channels: an octet, that is whole 16-byte accesses and one byte of a mask.
#include "kernels/pointwise_convolution.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

constexpr int tile_pixels = 128;
constexpr int pointwise_threads = 256;
constexpr int warp_pixels = 32;
constexpr int warps_down = tile_pixels / warp_pixels;
constexpr int chunk_bytes = 16;
constexpr int row_chunks = 8;
constexpr int row_bytes = row_chunks * chunk_bytes;
/// Always so much memory, also for fewer steps (see launch_within).
constexpr int most_stages = 3;
constexpr int octet_group = 32;  ///< channels of four mma, an octet a lane

/// Channels of a chunk.
template <class T>
constexpr int chunk_channels = chunk_bytes / static_cast<int>(sizeof(T));

/// A row of tiles is `columns` channels of y.
template <int columns>
constexpr int stage_bytes = (tile_pixels + columns) * row_bytes;

template <class T>
struct PointwiseArrays {
  const T *x, *weight;
  T* y;
};

/// Where a block's tile of y begins.
struct TilePlace {
  std::int64_t first_pixel;
  int first_channel;
};

/// Place of a chunk in a tile.
__device__ int chunk_offset(int row, int chunk) {
  return row * row_bytes + ((chunk ^ (row % row_chunks)) * chunk_bytes);
}

/// The channel, counted from the tile's first, whose weights stand in this row of shared memory: of mma number
/// `product` of a group, column 2t + i is channel 8t + 2·product + i.
__device__ int channel_of_row(int row) {
  const int product = row % octet_group / 8, column = row % 8;
  return row / octet_group * octet_group + column / 2 * 8 + product * 2 + column % 2;
}

/// A thread's share of the copies into shared memory: one chunk of every 32nd row of pixels and of weights.
template <class T, int columns>
class TileCopies {
 public:
  __device__ TileCopies(const PointwiseArrays<T>& arrays, const PointwiseSizes& sizes, const TilePlace& place)
      : channels_(static_cast<int>(sizes.in_channels)) {
    const int row = static_cast<int>(threadIdx.x) / row_chunks, chunk = static_cast<int>(threadIdx.x) % row_chunks;
    const int weight_row = channel_of_row(row);
    channel_ = chunk * chunk_channels<T>;
    offset_ = chunk_offset(row, chunk);
    pixels_left_ = static_cast<int>(min(sizes.pixels - place.first_pixel, std::int64_t{tile_pixels})) - row;
    weights_left_ = static_cast<int>(sizes.out_channels) - place.first_channel - weight_row;
    pixels_ = arrays.x + (place.first_pixel + row) * channels_ + channel_;
    weights_ = arrays.weight + static_cast<std::int64_t>(place.first_channel + weight_row) * channels_ + channel_;
  }

  /// Starts the copies of the next step into a stage.
  __device__ void copy_step(AsyncCopies& copies, char* stage) {
    copy_rows<tile_pixels>(copies, stage, pixels_, pixels_left_);
    copy_rows<columns>(copies, stage + tile_pixels * row_bytes, weights_, weights_left_);
    channel_ += row_chunks * chunk_channels<T>;
    pixels_ += row_chunks * chunk_channels<T>;
    weights_ += row_chunks * chunk_channels<T>;
  }

 private:
  static constexpr int rows_apart = pointwise_threads / row_chunks;
  static_assert(rows_apart == octet_group, "the order of weights repeats");

  template <int rows>
  __device__ void copy_rows(AsyncCopies& copies, char* tile, const T* from, int left) const {
    const int step = rows_apart * channels_;
#pragma unroll
    for (int k = 0; k < rows / rows_apart; ++k) {
      const bool exists = k * rows_apart < left && channel_ < channels_;
      copies.copy(tile + offset_ + k * rows_apart * row_bytes,
                  from + (exists ? static_cast<std::int64_t>(k) * step : 0), exists);
    }
  }

  const T *pixels_, *weights_;
  int channels_, channel_, offset_, pixels_left_, weights_left_;
};

/// A word of a fragment as its mma takes it.
template <class T>
__device__ std::uint32_t factor(const char* word) {
  if constexpr (std::is_same_v<T, float>) return round_to_tf32(*accessed_as<const float>(word));
  return *accessed_as<const std::uint32_t>(word);
}

template <class T>
__device__ void multiply_add(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    mma_bfloat16_m16n8k16(sums, a, b);
  } else if constexpr (std::is_same_v<T, __half>) {
    mma_float16_m16n8k16(sums, a, b);
  } else {
    mma_tf32_m16n8k8(sums, a, b);
  }
}

/// sums += the warp's pixels · the warp's channels, of one step: an mma goes over two chunks.
template <class T, int products>
__device__ void multiply_step(const char* pixels, const char* weights, float (&sums)[2][products][4]) {
  const int lane = static_cast<int>(threadIdx.x % 32), row = lane / 4, word = lane % 4 * 4;
#pragma unroll
  for (int chunk = 0; chunk < row_chunks; chunk += 2) {
    std::uint32_t a[2][4];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        a[m][i] = factor<T>(pixels + chunk_offset(m * 16 + i % 2 * 8 + row, chunk + i / 2) + word);
      }
    }
#pragma unroll
    for (int n = 0; n < products; ++n) {
      std::uint32_t b[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) b[i] = factor<T>(weights + chunk_offset(n * 8 + row, chunk + i) + word);
#pragma unroll
      for (int m = 0; m < 2; ++m) multiply_add<T>(sums[m][n], a[m], b);
    }
  }
}

/// One octet of y, from a lane's sums of four mma.
template <class T>
__device__ void finish_octet(const float (&sums)[octet_size], const Octet<T>& before, std::uint32_t kept,
                             const PointwiseEpilogue& epilogue, int channel, std::int64_t at, T* y) {
  Octet<T> result;
  std::uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < octet_size; ++i) {
    float value = epilogue.accumulate ? sums[i] + before.at(i) : sums[i];
    if (epilogue.bias != nullptr) value += epilogue.bias[channel + i];
    if (epilogue.relu_mask != nullptr) {
      const bool positive = is_positive(value);
      bits |= static_cast<std::uint32_t>(positive) << i;
      value = positive ? value : 0.0F;
    }
    result.set(i, (kept >> i & 1U) != 0 ? value : 0.0F);
  }
  store_octet(result, y, at, at + octet_size, true);
  if (epilogue.relu_mask != nullptr) epilogue.relu_mask[at / octet_size] = static_cast<std::uint8_t>(bits);
}

/// The octet of y of one of a lane's rows and groups.
struct OctetPlace {
  std::int64_t at;
  int channel;
  bool exists;

  __device__ OctetPlace(const PointwiseSizes& sizes, std::int64_t first_pixel, int first_channel, int eight,
                        int group) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    const std::int64_t pixel = first_pixel + eight * 8 + lane / 4;
    channel = first_channel + group * octet_group + lane % 4 * octet_size;
    exists = pixel < sizes.pixels && channel < sizes.out_channels;
    at = pixel * sizes.out_channels + channel;
  }
};

/// The warp's part of y: first all that is read, then what is written.
template <class T, int products>
__device__ void finish_rows(const float (&sums)[products][4], const PointwiseSizes& sizes, std::int64_t first_pixel,
                            int first_channel, const PointwiseEpilogue& epilogue, T* y) {
  constexpr int groups = products / 4;
  Octet<T> before[2][groups];
  std::uint32_t kept[2][groups];
#pragma unroll
  for (int eight = 0; eight < 2; ++eight) {
#pragma unroll
    for (int group = 0; group < groups; ++group) {
      const OctetPlace place(sizes, first_pixel, first_channel, eight, group);
      kept[eight][group] = 0xffU;
      if (!place.exists) continue;
      if (epilogue.accumulate) before[eight][group] = load_octet(y, place.at, place.at + octet_size, true);
      if (epilogue.masked != nullptr) kept[eight][group] = epilogue.masked[place.at / octet_size];
    }
  }
#pragma unroll
  for (int eight = 0; eight < 2; ++eight) {
#pragma unroll
    for (int group = 0; group < groups; ++group) {
      const OctetPlace place(sizes, first_pixel, first_channel, eight, group);
      if (!place.exists) continue;
      float octet[octet_size];
#pragma unroll
      for (int i = 0; i < octet_size; ++i) octet[i] = sums[group * 4 + i / 2][eight * 2 + i % 2];
      finish_octet(octet, before[eight][group], kept[eight][group], epilogue, place.channel, place.at, y);
    }
  }
}

/// blockIdx.x counts the tiles of channels of the first pixels, then those of the next.
template <class T, int columns>
__global__ void __launch_bounds__(pointwise_threads, 2)
    pointwise_kernel(PointwiseArrays<T> arrays, PointwiseSizes sizes, PointwiseEpilogue epilogue, int column_tiles,
                     int steps) {
  constexpr int products = columns / 2 / 8;
  char* const shared = dynamic_shared_memory<char>();  // [stages, tile_pixels + columns, row_bytes]
  const TilePlace place = {std::int64_t{static_cast<int>(blockIdx.x) / column_tiles} * tile_pixels,
                           static_cast<int>(blockIdx.x) % column_tiles * columns};
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp % warps_down * warp_pixels;
  const int warp_column = warp / warps_down * (columns / 2);
  AsyncCopies copies;
  TileCopies<T, columns> tile(arrays, sizes, place);
#pragma unroll
  for (int step = 0; step < most_stages - 1; ++step) {
    if (step < steps) {
      tile.copy_step(copies, shared + step * stage_bytes<columns>);
    }
    copies.end_group();
  }
  float sums[2][products][4] = {};
  for (int step = 0; step < steps; ++step) {
    copies.wait<most_stages - 2>();
    // Also: every warp is done with the stage that is filled next.
    __syncthreads();
    const int next = step + most_stages - 1;
    if (next < steps) {
      tile.copy_step(copies, shared + next % most_stages * stage_bytes<columns>);
    }
    copies.end_group();
    const char* const stage = shared + step % most_stages * stage_bytes<columns>;
    multiply_step<T>(stage + warp_row * row_bytes, stage + (tile_pixels + warp_column) * row_bytes, sums);
  }
#pragma unroll
  for (int m = 0; m < 2; ++m) {
    finish_rows<T>(sums[m], sizes, place.first_pixel + warp_row + m * 16, place.first_channel + warp_column, epilogue,
                   arrays.y);
  }
}

template <class T, int columns>
cudaError_t launch_tiles(const PointwiseArrays<T>& arrays, const PointwiseSizes& sizes,
                         const PointwiseEpilogue& epilogue, cudaStream_t stream) {
  constexpr std::int64_t step_channels = row_chunks * chunk_channels<T>;
  const std::int64_t steps = (sizes.in_channels + step_channels - 1) / step_channels;
  const std::int64_t column_tiles = (sizes.out_channels + columns - 1) / columns;
  const std::int64_t blocks = (sizes.pixels + tile_pixels - 1) / tile_pixels * column_tiles;
  if (blocks > INT32_MAX) return cudaErrorInvalidValue;
  return launch(pointwise_kernel<T, columns>, dim3(static_cast<unsigned>(blocks)), dim3(pointwise_threads),
                std::size_t{most_stages} * stage_bytes<columns>, stream, arrays, sizes, epilogue,
                static_cast<int>(column_tiles), static_cast<int>(steps));
}

}  // namespace

bool takes_pointwise(const PointwiseSizes& sizes, std::size_t shared_memory_limit) {
  constexpr std::int64_t most_channels = std::int64_t{1} << 20;
  return sizes.in_channels % octet_size == 0 && sizes.out_channels % octet_size == 0 && sizes.in_channels > 0 &&
         sizes.in_channels <= most_channels && sizes.out_channels <= most_channels &&
         shared_memory_limit >= std::size_t{most_stages} * stage_bytes<128>;
}

cudaError_t pointwise_convolution(const void* x, const void* weight, void* y, Element element,
                                  const PointwiseSizes& sizes, const PointwiseEpilogue& epilogue, cudaStream_t stream) {
  if (!on_packs(x) || !on_packs(weight) || !on_packs(y)) return cudaErrorInvalidValue;
  if (sizes.pixels == 0 || sizes.out_channels == 0) return cudaSuccess;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const PointwiseArrays<T> arrays = {static_cast<const T*>(x), static_cast<const T*>(weight), static_cast<T*>(y)};
    if (sizes.out_channels % 128 == 0) return launch_tiles<T, 128>(arrays, sizes, epilogue, stream);
    return launch_tiles<T, 64>(arrays, sizes, epilogue, stream);
  });
}

}  // namespace blindspot::kernels
