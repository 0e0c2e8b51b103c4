// A ← clamp(A + ((a_max/2)·J)·s_b, ±a_max); candidate = clamp(x + η((t − x) − c_b·J) − A, 0, 1), or without A; where
// held_b the candidate is x and A stays; all float32, arrays [B, 3, H, W], s (the gradient's inverse scale) and c (how
// far t − x lies along J) [B]. Then y = network_input(candidate), [B, H', W', C] of the network's type.
//
// A block of threads handles some columns of one row of y and the pixels that belong to them, first by rows of the
// image in 16-byte packs, then by groups of y, which reads the candidate out of the cache that it has just gone
// through. Bytes an element: 24, or 16 without A, each array once, and an element of y. Float32, every product and sum
// rounded on its own and in the order written, so that an image goes the same way on every device. NaN stays NaN.
#include "kernels/walk_step.cuh"

#include <algorithm>
#include <numeric>

#include "kernels/image_rows.cuh"
#include "kernels/network_input_rows.cuh"

namespace blindspot::kernels {
namespace {

constexpr std::int64_t step_threads = 256;
/// Image elements of a block of threads, about.
constexpr std::int64_t block_elements = 1024;

/// Between the limits; NaN stays NaN.
__device__ float clamped(float value, float low, float high) {
  const float raised = value < low ? low : value;
  return raised > high ? high : raised;
}

/// `width` elements from `at` on, of an image that is not held.
template <int width, bool Adversarial>
__device__ void step_group(const WalkStepArrays& arrays, std::int64_t at, float inverse_scale, float coefficient,
                           float step_size, float limit) {
  const auto gradient = load_group<float, width>(arrays.gradient + at);
  const auto target = load_group<float, width>(arrays.target + at);
  const auto image = load_group<float, width>(arrays.image + at);
  float sums[width], candidate[width];
  if constexpr (Adversarial) {
    const auto before = load_group<float, width>(arrays.adversarial + at);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const float change = rounded_product(rounded_product(limit / 2, gradient.values[i]), inverse_scale);
      sums[i] = clamped(before.values[i] + change, -limit, limit);
    }
    store_group(sums, arrays.adversarial + at);
  }
#pragma unroll
  for (int i = 0; i < width; ++i) {
    const float x = image.values[i];
    const float direction = (target.values[i] - x) - rounded_product(coefficient, gradient.values[i]);
    float moved = x + rounded_product(step_size, direction);
    if constexpr (Adversarial) moved -= sums[i];
    candidate[i] = clamped(moved, 0.0F, 1.0F);
  }
  store_group(candidate, arrays.candidate + at);
}

/// blockIdx.x is a row of y, of `row_count` an image, those beyond y included; blockIdx.y its columns, `columns_each`.
template <class T, int input_width, int width, bool Adversarial>
__global__ void __launch_bounds__(step_threads)
    walk_step_kernel(WalkStepArrays arrays, float step_size, float limit, Colours mean, Colours deviation, T* y,
                     InputSizes sizes, int row_count, int columns_each) {
  const int row = static_cast<int>(blockIdx.x) % row_count;
  const std::int64_t image = static_cast<int>(blockIdx.x) / row_count;
  const int first_column = static_cast<int>(blockIdx.y) * columns_each;
  const int end_column = min(first_column + columns_each, sizes.columns);
  const int first_pixel = first_column * sizes.block;
  const int end_pixel = end_column == sizes.columns ? sizes.width : min(end_column * sizes.block, sizes.width);
  const bool held = arrays.held[image] != 0;
  const float inverse_scale = Adversarial ? arrays.inverse_scale[image] : 0.0F;
  const float coefficient = arrays.coefficient[image];

  const int groups = max(end_pixel - first_pixel, 0) / width;
  for (int item = static_cast<int>(threadIdx.x); item < colours * sizes.block * groups; item += blockDim.x) {
    const int image_row = row * sizes.block + item / groups % sizes.block;
    if (image_row >= sizes.height) continue;
    const std::int64_t image_rows = (image * colours + item / groups / sizes.block) * sizes.height + image_row;
    const std::int64_t at = image_rows * sizes.width + first_pixel + item % groups * width;
    if (held) {
      store_group(load_group<float, width>(arrays.image + at).values, arrays.candidate + at);
    } else {
      step_group<width, Adversarial>(arrays, at, inverse_scale, coefficient, step_size, limit);
    }
  }
  __syncthreads();

  if (row >= sizes.rows) return;
  const int first = first_column * sizes.channels;
  const int items = (end_column - first_column) * sizes.channels / input_width;
  T* to = y + (image * sizes.rows + row) * sizes.columns * sizes.channels + first;
  for (int item = static_cast<int>(threadIdx.x); item < items; item += blockDim.x) {
    InputPlace place(static_cast<std::uint32_t>(first + item * input_width), sizes);
    float values[input_width];
#pragma unroll
    for (int i = 0; i < input_width; ++i) {
      values[i] = input_value(arrays.candidate, image, row, place, sizes, mean, deviation);
      place.advance(sizes);
    }
    store_group(values, to + item * input_width);
  }
}

bool all_on_groups(const WalkStepArrays& arrays) {
  return on_groups(arrays.gradient) && on_groups(arrays.target) && on_groups(arrays.image) &&
         on_groups(arrays.adversarial) && on_groups(arrays.candidate);
}

}  // namespace

cudaError_t walk_step(const WalkStep& step, const WalkStepArrays& arrays, const WalkStepInput& input,
                      cudaStream_t stream) {
  const InputShape& shape = input.shape;
  const std::int64_t row_elements = shape.columns * shape.channels;
  if (shape.batch == 0) return cudaSuccess;
  const std::int64_t row_count = std::max((shape.height + shape.block - 1) / shape.block, shape.rows);
  const std::int64_t parts = std::clamp<std::int64_t>(colours * shape.block * shape.width / block_elements, 1,
                                                      std::min<std::int64_t>(shape.columns, 65535));
  const std::int64_t columns_each = (shape.columns + parts - 1) / parts;
  if (row_elements > INT32_MAX || colours * shape.block * shape.width > INT32_MAX) return cudaErrorInvalidValue;
  if (row_count > INT32_MAX / shape.batch) return cudaErrorInvalidValue;
  const dim3 grid(static_cast<unsigned>(shape.batch * row_count),
                  static_cast<unsigned>((shape.columns + columns_each - 1) / columns_each));
  const auto launch_step = [&](auto zero, auto input_width, auto width) {
    using T = decltype(zero);
    auto* const kernel = step.adversarial ? walk_step_kernel<T, input_width.value, width.value, true>
                                          : walk_step_kernel<T, input_width.value, width.value, false>;
    return launch(kernel, grid, dim3(step_threads), 0, stream, arrays, step.step_size, step.adversarial_step,
                  input.mean, input.deviation, static_cast<T*>(input.y), input_sizes(shape),
                  static_cast<int>(row_count), static_cast<int>(columns_each));
  };
  return with_element(input.element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t input_run = std::gcd(row_elements, columns_each * shape.channels);
    const std::int64_t image_run = std::gcd(shape.width, columns_each * shape.block);
    return with_group<T>(input_run, on_groups(input.y), [&](auto input_width) {
      return with_group<float>(image_run, all_on_groups(arrays),
                               [&](auto width) { return launch_step(zero, input_width, width); });
    });
  });
}

}  // namespace blindspot::kernels
