// For directions d_k [K, count] and v [count]: u_k = (d_k − v·(d_k·v)/(v·v))/‖…‖ and out[k] = clamp(x + r·u_k, 0, 1),
// all float32 images.
//
// Bytes an element of a direction: 4 read for the factors, 4 read and 4 written for each radius; x and v stay in the
// cache. Since u·v = 0 by construction, ‖…‖² = d·d − (d·v)²/(v·v), so that one pass over d gives all three sums; in
// double, by parts and then parts in a fixed order, as in walk_projection.cu. The point is formed in double and rounded
// once.
#include "kernels/double_sums.cuh"
#include "kernels/image_parts.cuh"
#include "kernels/mix_points.cuh"

namespace blindspot::kernels {
namespace {

/// scratch [directions, parts, 3]: d·v, d·d, v·v.
__global__ void __launch_bounds__(part_threads)
    width_parts_kernel(ImageParts parts, const float* direction, const float* v, double* scratch) {
  double sums[3] = {0, 0, 0};
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    const Pack<float> d = parts.load(direction + parts.image() * parts.count, parts.start(k));
    const Pack<float> along = parts.load(v, parts.start(k));
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) {
      const double d_value = d.values[i], v_value = along.values[i];
      sums[0] += d_value * v_value;
      sums[1] += d_value * d_value;
      sums[2] += v_value * v_value;
    }
  }
  block_sums<part_threads>(sums);
  if (threadIdx.x != 0) return;
#pragma unroll
  for (int i = 0; i < 3; ++i) scratch[std::int64_t{blockIdx.x} * 3 + i] = sums[i];
}

/// One warp a direction.
__global__ void __launch_bounds__(32) width_factors_kernel(const double* scratch, int parts, double* factors) {
  double sums[3] = {0, 0, 0};
  for (int part = static_cast<int>(threadIdx.x); part < parts; part += 32) {
    const double* of_part = scratch + (std::int64_t{blockIdx.x} * parts + part) * 3;
#pragma unroll
    for (int i = 0; i < 3; ++i) sums[i] += of_part[i];
  }
#pragma unroll
  for (int i = 0; i < 3; ++i) sums[i] = group_sum<32>(sums[i]);
  if (threadIdx.x != 0) return;
  const double slope = sums[0] / sums[2];
  const double square = sums[1] - slope * sums[0];
  // Along v nothing but rounding errors is left. NaN goes through.
  const bool is_zero = sums[2] == 0 || square <= 1e-14 * sums[1];
  const double scale = 1 / sqrt(square);
  factors[std::int64_t{blockIdx.x} * 2] = is_zero ? 0.0 : scale;
  factors[std::int64_t{blockIdx.x} * 2 + 1] = is_zero ? 0.0 : scale * slope;
}

struct WidthArrays {
  const float *x, *v, *direction;
  const double* factors;
  float* out;
};

__global__ void __launch_bounds__(part_threads)
    width_points_kernel(ImageParts parts, WidthArrays arrays, double radius) {
  const std::int64_t offset = parts.image() * parts.count;
  const double along_direction = radius * arrays.factors[parts.image() * 2];
  const double along_v = radius * arrays.factors[parts.image() * 2 + 1];
  Pack<float> x[part_packs], v[part_packs], direction[part_packs];
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    direction[k] = parts.load(arrays.direction + offset, parts.start(k));
    x[k] = parts.load(arrays.x, parts.start(k));
    v[k] = parts.load(arrays.v, parts.start(k));
  }
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    Pack<float> point;
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) {
      const double change = rounded_product(along_direction, static_cast<double>(direction[k].values[i])) -
                            rounded_product(along_v, static_cast<double>(v[k].values[i]));
      const auto value = static_cast<float>(static_cast<double>(x[k].values[i]) + change);
      point.values[i] = value < 0.0F ? 0.0F : value > 1.0F ? 1.0F : value;
    }
    parts.store(point, arrays.out + offset, parts.start(k));
  }
}

}  // namespace

std::int64_t width_factors_scratch(std::int64_t directions, std::int64_t count) {
  return directions * parts_of(count) * 3;
}

cudaError_t width_factors(const float* direction, const float* v, std::int64_t directions, std::int64_t count,
                          double* scratch, double* factors, cudaStream_t stream) {
  const bool aligned = images_on_packs(direction, count) && images_on_packs(v, count);
  const cudaError_t status =
      launch_parts(width_parts_kernel, directions, count, aligned, stream, direction, v, scratch);
  if (status != cudaSuccess) return status;
  return launch(width_factors_kernel, dim3(static_cast<unsigned>(directions)), dim3(32), 0, stream, scratch,
                static_cast<int>(parts_of(count)), factors);
}

cudaError_t width_points(const float* x, const float* v, const float* direction, const double* factors, double radius,
                         std::int64_t directions, std::int64_t count, float* out, cudaStream_t stream) {
  const bool aligned = images_on_packs(direction, count) && images_on_packs(x, count) && images_on_packs(v, count) &&
                       images_on_packs(out, count);
  const WidthArrays arrays = {x, v, direction, factors, out};
  return launch_parts(width_points_kernel, directions, count, aligned, stream, arrays, radius);
}

}  // namespace blindspot::kernels
