// A ← clamp(A + ((a_max/2)·J)·s_b, ±a_max); candidate = clamp(x + η((t − x) − c_b·J) − A, 0, 1), or without A; all
// float32, arrays [B, count], s (the gradient's inverse scale) and c (how far t − x lies along J) [B].
//
// Bytes an element: 24, or 16 without A, each array once. Float32, every product and sum rounded on its own and in the
// order written, so that an image goes the same way on every device. NaN stays NaN.
#include "kernels/walk_step.cuh"

#include "kernels/image_parts.cuh"

namespace blindspot::kernels {
namespace {

/// Between the limits; NaN stays NaN.
__device__ float clamped(float value, float low, float high) {
  const float raised = value < low ? low : value;
  return raised > high ? high : raised;
}

template <bool Adversarial>
__global__ void __launch_bounds__(part_threads)
    walk_step_kernel(ImageParts images, WalkStepArrays arrays, const float* inverse_scales, const float* coefficients,
                     float step_size, float limit) {
  const std::int64_t offset = images.image() * images.count;
  const float inverse_scale = Adversarial ? inverse_scales[images.image()] : 0.0F;
  const float coefficient = coefficients[images.image()];
  Pack<float> gradient[part_packs], target[part_packs], image[part_packs], sums[part_packs];
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    gradient[k] = images.load(arrays.gradient + offset, images.start(k));
    target[k] = images.load(arrays.target + offset, images.start(k));
    image[k] = images.load(arrays.image + offset, images.start(k));
    if constexpr (Adversarial) sums[k] = images.load(arrays.adversarial + offset, images.start(k));
  }
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    Pack<float> candidate;
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) {
      const float j = gradient[k].values[i], x = image[k].values[i];
      const float direction = (target[k].values[i] - x) - rounded_product(coefficient, j);
      float moved = x + rounded_product(step_size, direction);
      if constexpr (Adversarial) {
        const float change = rounded_product(rounded_product(limit / 2, j), inverse_scale);
        sums[k].values[i] = clamped(sums[k].values[i] + change, -limit, limit);
        moved -= sums[k].values[i];
      }
      candidate.values[i] = clamped(moved, 0.0F, 1.0F);
    }
    if constexpr (Adversarial) images.store(sums[k], arrays.adversarial + offset, images.start(k));
    images.store(candidate, arrays.candidate + offset, images.start(k));
  }
}

}  // namespace

cudaError_t walk_step(const WalkStep& step, const WalkStepArrays& arrays, const float* inverse_scale,
                      const float* coefficient, std::int64_t images, std::int64_t count, cudaStream_t stream) {
  const bool aligned = images_on_packs(arrays.gradient, count) && images_on_packs(arrays.target, count) &&
                       images_on_packs(arrays.image, count) && images_on_packs(arrays.candidate, count) &&
                       (!step.adversarial || images_on_packs(arrays.adversarial, count));
  auto* const kernel = step.adversarial ? walk_step_kernel<true> : walk_step_kernel<false>;
  return launch_parts(kernel, images, count, aligned, stream, arrays, inverse_scale, coefficient, step.step_size,
                      step.adversarial_step);
}

}  // namespace blindspot::kernels
