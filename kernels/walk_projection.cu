// x ← x' where the candidate x' of the round before was accepted (else with poison x + 0·x'); coefficient[b] =
// (J·v)/(J·J), v = t − x; J, x, x', t float32 [B, count], coefficient float32 [B].
//
// Bytes an element: 12 where nothing was accepted, 16 where it was (x is then only written), 20 with poison. Products
// and sums are double throughout: squares of the smallest and the largest float32 lie far inside its range, so that J
// needs no scaling by its largest magnitude, and one pass does. First every part of an image is summed by a block of
// its own (scratch double [B, parts, 2]: J·v, J·J), then a warp sums the parts of an image; the order depends on
// `count` alone.
#include "kernels/walk_projection.cuh"

#include "kernels/double_sums.cuh"
#include "kernels/image_parts.cuh"

namespace blindspot::kernels {
namespace {

__global__ void __launch_bounds__(part_threads)
    projection_parts_kernel(ImageParts images, WalkProjectionArrays arrays, bool poison) {
  const std::int64_t offset = images.image() * images.count;
  const bool accepted = arrays.accepted[images.image()] != 0;
  const float* stands_at = accepted ? arrays.candidate : arrays.image;
  Pack<float> gradient[part_packs], image[part_packs], target[part_packs];
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
    gradient[k] = images.load(arrays.gradient + offset, images.start(k));
    image[k] = images.load(stands_at + offset, images.start(k));
    target[k] = images.load(arrays.target + offset, images.start(k));
  }
  if (accepted || poison) {
#pragma unroll
    for (int k = 0; k < part_packs; ++k) {
      if (!accepted) {
        const Pack<float> rejected = images.load(arrays.candidate + offset, images.start(k));
#pragma unroll
        for (int i = 0; i < Pack<float>::size; ++i) image[k].values[i] += 0.0F * rejected.values[i];
      }
      images.store(image[k], arrays.image + offset, images.start(k));
    }
  }
  double sums[2] = {0, 0};
#pragma unroll
  for (int k = 0; k < part_packs; ++k) {
#pragma unroll
    for (int i = 0; i < Pack<float>::size; ++i) {
      const double value = gradient[k].values[i];
      const double direction = static_cast<double>(target[k].values[i]) - static_cast<double>(image[k].values[i]);
      sums[0] += value * direction;
      sums[1] += value * value;
    }
  }
  block_sums<part_threads>(sums);
  if (threadIdx.x != 0) return;
  arrays.scratch[std::int64_t{blockIdx.x} * 2] = sums[0];
  arrays.scratch[std::int64_t{blockIdx.x} * 2 + 1] = sums[1];
}

/// One warp an image.
__global__ void __launch_bounds__(32)
    projection_kernel(const double* scratch, int parts, bool zero_gradient_is_nan, float* coefficient) {
  const double* of_image = scratch + std::int64_t{blockIdx.x} * parts * 2;
  double with_direction = 0, with_itself = 0;
  for (int part = static_cast<int>(threadIdx.x); part < parts; part += 32) {
    with_direction += of_image[part * 2];
    with_itself += of_image[part * 2 + 1];
  }
  with_direction = group_sum<32>(with_direction);
  with_itself = group_sum<32>(with_itself);
  if (threadIdx.x != 0) return;
  const float of_zero = zero_gradient_is_nan ? __builtin_nanf("") : 0.0F;
  coefficient[blockIdx.x] = with_itself == 0 ? of_zero : static_cast<float>(with_direction / with_itself);
}

}  // namespace

std::int64_t walk_projection_scratch(std::int64_t images, std::int64_t count) {
  return images * parts_of(count) * 2;
}

cudaError_t walk_projection(const WalkProjection& how, const WalkProjectionArrays& arrays, std::int64_t images,
                            std::int64_t count, cudaStream_t stream) {
  const bool aligned = images_on_packs(arrays.gradient, count) && images_on_packs(arrays.target, count) &&
                       images_on_packs(arrays.candidate, count) && images_on_packs(arrays.image, count);
  const cudaError_t status = launch_parts(projection_parts_kernel, images, count, aligned, stream, arrays, how.poison);
  if (status != cudaSuccess) return status;
  return launch(projection_kernel, dim3(static_cast<unsigned>(images)), dim3(32), 0, stream, arrays.scratch,
                static_cast<int>(parts_of(count)), how.zero_gradient_is_nan, arrays.coefficient);
}

}  // namespace blindspot::kernels
