// With G the 11 taps exp(−k²/(2·1.5²)), normalised, across then down over edges mirrored without repeating them, and
// μ_a, μ_b, m_aa, m_bb, m_ab the images of a, b, a², b², ab under G: σ_a = m_aa − μ_a², σ_b alike, σ_ab = m_ab −
// μ_a·μ_b, and
//   ssim = (2μ_a·μ_b + 1e-4)(2σ_ab + 9e-4)/((μ_a² + μ_b² + 1e-4)(σ_a + σ_b + 9e-4)), the mean over channels and pixels.
// a and b float32 [N, C, H, W].
//
// Bytes an element: 8 and the tiles' edges (2.6 times as much, mostly from the cache). Double throughout, since
// variances are differences. A block makes a tile of 16 x 16 pixels of one channel; its sum goes to scratch [N,
// C·tiles], and a block an image adds them in a fixed order.
#include "kernels/ssim.cuh"

#include "kernels/double_sums.cuh"

namespace blindspot::kernels {
namespace {

constexpr int tile = 16, taps = 11, reach = taps / 2, window = tile + 2 * reach;
constexpr int tile_threads = tile * tile;
constexpr int moments = 5;

struct SsimTaps {
  double values[taps];
};

struct SsimImages {
  const float *a, *b;
  int height, width;
  int margin;  // pixels that are left out at each edge
  bool clamp;  // variances at 0
};

/// Place within 0 … size − 1 of one that may lie outside by at most 5, or by any number where nothing will be read of
/// it.
__device__ int mirrored(int place, int size) {
  place = place < 0 ? -place : place;
  place = place >= size ? 2 * (size - 1) - place : place;
  return place < 0 ? 0 : place;
}

__device__ double ssim_of(const double (&m)[moments], bool clamp) {
  double variance_a = m[2] - m[0] * m[0], variance_b = m[3] - m[1] * m[1];
  if (clamp) {
    variance_a = variance_a < 0 ? 0 : variance_a;
    variance_b = variance_b < 0 ? 0 : variance_b;
  }
  const double covariance = m[4] - m[0] * m[1];
  return (2 * m[0] * m[1] + 1e-4) * (2 * covariance + 9e-4) /
         ((m[0] * m[0] + m[1] * m[1] + 1e-4) * (variance_a + variance_b + 9e-4));
}

/// Grid: tiles across, tiles down, images·channels.
__global__ void __launch_bounds__(tile_threads)
    ssim_tiles_kernel(SsimImages images, SsimTaps gaussian, double* scratch) {
  __shared__ float values[2][window][window];
  __shared__ double across[moments][window][tile];
  const std::int64_t plane = std::int64_t{blockIdx.z} * images.height * images.width;
  const int first_row = static_cast<int>(blockIdx.y) * tile, first_column = static_cast<int>(blockIdx.x) * tile;
  for (int i = static_cast<int>(threadIdx.x); i < window * window; i += tile_threads) {
    const int row = mirrored(first_row + i / window - reach, images.height);
    const int column = mirrored(first_column + i % window - reach, images.width);
    const std::int64_t at = plane + std::int64_t{row} * images.width + column;
    values[0][i / window][i % window] = images.a[at];
    values[1][i / window][i % window] = images.b[at];
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < window * tile; i += tile_threads) {
    const int row = i / tile, column = i % tile;
    double sums[moments] = {};
#pragma unroll
    for (int k = 0; k < taps; ++k) {
      const double a = values[0][row][column + k], b = values[1][row][column + k], weight = gaussian.values[k];
      sums[0] += weight * a;
      sums[1] += weight * b;
      sums[2] += weight * (a * a);
      sums[3] += weight * (b * b);
      sums[4] += weight * (a * b);
    }
#pragma unroll
    for (int m = 0; m < moments; ++m) across[m][row][column] = sums[m];
  }
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x) / tile, column = static_cast<int>(threadIdx.x) % tile;
  double down[moments] = {};
#pragma unroll
  for (int k = 0; k < taps; ++k) {
#pragma unroll
    for (int m = 0; m < moments; ++m) down[m] += gaussian.values[k] * across[m][row + k][column];
  }
  const int y = first_row + row, x = first_column + column;
  const bool counts =
      y >= images.margin && y < images.height - images.margin && x >= images.margin && x < images.width - images.margin;
  double sum[1] = {counts ? ssim_of(down, images.clamp) : 0.0};
  block_sums<tile_threads>(sum);
  if (threadIdx.x != 0) return;
  scratch[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = sum[0];
}

/// A block an image.
__global__ void __launch_bounds__(tile_threads)
    ssim_mean_kernel(const double* scratch, std::int64_t tiles, double pixels, double* result) {
  double sum[1] = {0};
  for (std::int64_t i = threadIdx.x; i < tiles; i += tile_threads) sum[0] += scratch[blockIdx.x * tiles + i];
  block_sums<tile_threads>(sum);
  if (threadIdx.x == 0) result[blockIdx.x] = sum[0] / pixels;
}

std::int64_t tiles_of(std::int64_t size) {
  return (size + tile - 1) / tile;
}

SsimTaps gaussian_taps() {
  SsimTaps result{};
  double sum = 0;
  for (int k = 0; k < taps; ++k) {
    result.values[k] = exp(-(k - reach) * (k - reach) / (2 * 1.5 * 1.5));
    sum += result.values[k];
  }
  for (double& value : result.values) value /= sum;
  return result;
}

}  // namespace

std::int64_t ssim_scratch(const SsimShape& shape) {
  return shape.images * shape.channels * tiles_of(shape.height) * tiles_of(shape.width);
}

cudaError_t ssim(const float* a, const float* b, const SsimShape& shape, SsimMean mean, double* scratch, double* result,
                 cudaStream_t stream) {
  constexpr std::int64_t most_planes = 65535;
  const int margin = mean == SsimMean::interior ? reach : 0;
  const std::int64_t least = margin > 0 ? taps : reach + 1;
  if (shape.height < least || shape.width < least || shape.channels < 1) return cudaErrorInvalidValue;
  const std::int64_t down = tiles_of(shape.height), across = tiles_of(shape.width);
  const std::int64_t planes = shape.images * shape.channels;
  if (shape.width > INT32_MAX / 2 || down > most_planes || planes > most_planes) return cudaErrorInvalidValue;
  const SsimImages images = {
      a, b, static_cast<int>(shape.height), static_cast<int>(shape.width), margin, mean == SsimMean::whole};
  const dim3 grid(static_cast<unsigned>(across), static_cast<unsigned>(down), static_cast<unsigned>(planes));
  const cudaError_t status =
      launch(ssim_tiles_kernel, grid, dim3(tile_threads), 0, stream, images, gaussian_taps(), scratch);
  if (status != cudaSuccess) return status;
  const std::int64_t pixels = shape.channels * (shape.height - 2 * margin) * (shape.width - 2 * margin);
  return launch(ssim_mean_kernel, dim3(static_cast<unsigned>(shape.images)), dim3(tile_threads), 0, stream, scratch,
                shape.channels * down * across, static_cast<double>(pixels), result);
}

}  // namespace blindspot::kernels
