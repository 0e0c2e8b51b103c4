// out[p, i] = Σ_j w[p, j]·images[j, i], j ascending: float32 images [vertices, count] and out [points, count], w
// double.
//
// Bytes: out once; the images once, since a block makes all points of its part one after another and finds it in the
// cache again. Double, no product fused with a sum, rounded to float32 once: a triangle of three equal images gives
// equal images, and every device gives the same bits.
#include "kernels/mix_points.cuh"

#include "kernels/image_parts.cuh"

namespace blindspot::kernels {
namespace {

__device__ float mixed_value(double value, bool clamp) {
  const auto rounded = static_cast<float>(value);
  if (!clamp) return rounded;
  return rounded < 0.0F ? 0.0F : rounded > 1.0F ? 1.0F : rounded;
}

struct Mixture {
  const float* images;
  const double* weights;
  int vertices, points;
  bool clamp;
  float* out;
};

__global__ void __launch_bounds__(part_threads) mix_points_kernel(ImageParts parts, Mixture mixture) {
  for (int point = 0; point < mixture.points; ++point) {
    const double* weights = mixture.weights + std::int64_t{point} * mixture.vertices;
#pragma unroll
    for (int k = 0; k < part_packs; ++k) {
      const std::int64_t start = parts.start(k);
      if (start >= parts.count) continue;
      double sums[Pack<float>::size] = {};
      for (int vertex = 0; vertex < mixture.vertices; ++vertex) {
        const double weight = weights[vertex];
        const Pack<float> pack = parts.load(mixture.images + vertex * parts.count, start);
#pragma unroll
        for (int i = 0; i < Pack<float>::size; ++i) {
          sums[i] += rounded_product(weight, static_cast<double>(pack.values[i]));
        }
      }
      Pack<float> result;
#pragma unroll
      for (int i = 0; i < Pack<float>::size; ++i) result.values[i] = mixed_value(sums[i], mixture.clamp);
      parts.store(result, mixture.out + point * parts.count, start);
    }
  }
}

}  // namespace

cudaError_t mix_points(const float* images, const double* weights, std::int64_t vertices, std::int64_t points,
                       std::int64_t count, bool clamp, float* out, cudaStream_t stream) {
  if (vertices > INT32_MAX || points > INT32_MAX) return cudaErrorInvalidValue;
  const Mixture mixture = {images, weights, static_cast<int>(vertices), static_cast<int>(points), clamp, out};
  const bool aligned = images_on_packs(images, count) && images_on_packs(out, count);
  return launch_parts(mix_points_kernel, 1, count, aligned, stream, mixture);
}

}  // namespace blindspot::kernels
