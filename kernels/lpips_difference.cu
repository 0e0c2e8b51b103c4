// result[n] = mean_p Σ_c w_c·(a_c/(√Σa² + 1e-10) − b_c/(√Σb² + 1e-10))² for features a, b [N, P, C] of one layer,
// channels last, w float32 [C], result double [N].
//
// Bytes an element: a and b twice, the second time from the cache. Double throughout, since the difference of two
// features that are nearly alike is what is measured. A warp a pixel, 64 pixels a block; the block's sum goes to
// scratch [N, blocks], and a warp an image adds them in a fixed order.
#include "kernels/lpips_difference.cuh"

#include "kernels/double_sums.cuh"

namespace blindspot::kernels {
namespace {

constexpr int lpips_threads = 256, lpips_warps = lpips_threads / 32;
constexpr int pixels_of_block = 64;

template <class T>
struct LpipsArrays {
  const T *a, *b;
  const float* weight;
};

/// Σ_c w_c·(â_c − b̂_c)² of one pixel; every lane of its warp gets it.
template <class T>
__device__ double pixel_difference(const T* a, const T* b, const float* weight, int channels, int lane) {
  double squares_a = 0, squares_b = 0;
  for (int c = lane; c < channels; c += 32) {
    const double a_value = to_float(a[c]), b_value = to_float(b[c]);
    squares_a += a_value * a_value;
    squares_b += b_value * b_value;
  }
  const double scale_a = 1 / (sqrt(group_sum<32>(squares_a)) + 1e-10);
  const double scale_b = 1 / (sqrt(group_sum<32>(squares_b)) + 1e-10);
  double sum = 0;
  for (int c = lane; c < channels; c += 32) {
    const double difference = to_float(a[c]) * scale_a - to_float(b[c]) * scale_b;
    sum += static_cast<double>(weight[c]) * (difference * difference);
  }
  return group_sum<32>(sum);
}

template <class T>
__global__ void __launch_bounds__(lpips_threads)
    lpips_pixels_kernel(LpipsArrays<T> arrays, std::int64_t pixels, int channels, unsigned blocks, double* scratch) {
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t image = blockIdx.x / blocks;
  const std::int64_t first = std::int64_t{blockIdx.x % blocks} * pixels_of_block;
  double sum[1] = {0};
  for (int i = warp; i < pixels_of_block && first + i < pixels; i += lpips_warps) {
    const std::int64_t at = (image * pixels + first + i) * channels;
    const double difference = pixel_difference(arrays.a + at, arrays.b + at, arrays.weight, channels, lane);
    if (lane == 0) sum[0] += difference;
  }
  block_sums<lpips_threads>(sum);
  if (threadIdx.x == 0) scratch[blockIdx.x] = sum[0];
}

/// A warp an image.
__global__ void __launch_bounds__(32)
    lpips_mean_kernel(const double* scratch, int blocks, double pixels, bool accumulate, double* result) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < blocks; i += 32)
    sum += scratch[std::int64_t{blockIdx.x} * blocks + i];
  sum = group_sum<32>(sum);
  if (threadIdx.x == 0) result[blockIdx.x] = sum / pixels + (accumulate ? result[blockIdx.x] : 0.0);
}

std::int64_t lpips_blocks(std::int64_t pixels) {
  return (pixels + pixels_of_block - 1) / pixels_of_block;
}

}  // namespace

std::int64_t lpips_difference_scratch(const LpipsShape& shape) {
  return shape.images * lpips_blocks(shape.pixels);
}

cudaError_t lpips_difference(const void* a, const void* b, Element element, const float* weight,
                             const LpipsShape& shape, bool accumulate, double* scratch, double* result,
                             cudaStream_t stream) {
  const std::int64_t blocks = lpips_blocks(shape.pixels);
  if (shape.images == 0) return cudaSuccess;
  if (blocks == 0 || shape.channels > INT32_MAX / 2 || blocks > INT32_MAX / shape.images) return cudaErrorInvalidValue;
  const cudaError_t status = with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const LpipsArrays<T> arrays = {static_cast<const T*>(a), static_cast<const T*>(b), weight};
    return launch(lpips_pixels_kernel<T>, dim3(static_cast<unsigned>(shape.images * blocks)), dim3(lpips_threads), 0,
                  stream, arrays, shape.pixels, static_cast<int>(shape.channels), static_cast<unsigned>(blocks),
                  scratch);
  });
  if (status != cudaSuccess) return status;
  return launch(lpips_mean_kernel, dim3(static_cast<unsigned>(shape.images)), dim3(32), 0, stream, scratch,
                static_cast<int>(blocks), static_cast<double>(shape.pixels), accumulate, result);
}

}  // namespace blindspot::kernels
