// y = max(s_c·x + t_c, 0) with the bits of its sign, and its gradient dx = s_c·m·dy (+ dx), over flat arrays of `count`
// elements whose channel is c = i mod C (channels-last); s and t are float32 [C].
//
// Bytes an element: forward 2·e + 1/8, gradient 2·e (3·e when accumulating) + 1/8, where e is 4, 2 or 2 bytes (float32,
// bfloat16, float16); s and t stay in cache. Computed in float32 with one fused multiply-add, rounded once.
#include "kernels/affine_relu.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

// Products of two numbers below this and below octet_block_elements fit 32 bits.
constexpr std::int64_t most_channels = 1 << 19;

/// The same for every thread of a launch, so that a thread finds its channel in 32 bits.
struct Channels {
  std::uint32_t count;       // C
  std::uint32_t block_step;  // elements of a block, mod C
  bool octets;               // C is a multiple of 8, s and t begin at multiples of 16 bytes
};

/// Channel of the first element of the thread's octet number `number`.
__device__ std::uint32_t octet_channel(const Channels& channels, int number) {
  const std::uint32_t block = blockIdx.x % channels.count * channels.block_step % channels.count;
  return (block + (static_cast<std::uint32_t>(number * octet_threads) + threadIdx.x) * octet_size) % channels.count;
}

/// The values of eight neighbouring elements' channels, from `channel` on.
__device__ Octet<float> channel_values(const float* values, std::uint32_t channel, const Channels& channels) {
  if (channels.octets) return load_octet(values, channel, channels.count, true);
  Octet<float> octet;
#pragma unroll
  for (int i = 0; i < octet_size; ++i) {
    octet.set(i, values[channel]);
    if (++channel == channels.count) channel = 0;
  }
  return octet;
}

template <class T>
__global__ void __launch_bounds__(octet_threads)
    affine_relu_kernel(const T* x, const float* scale, const float* shift, T* y, std::uint8_t* mask, Channels channels,
                       std::int64_t count, bool aligned) {
  Octet<T> octets[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) octets[k] = load_octet(x, octet_start(k), count, aligned);
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    if (start >= count) return;
    const std::uint32_t channel = octet_channel(channels, k);
    const Octet<float> scales = channel_values(scale, channel, channels);
    const Octet<float> shifts = channel_values(shift, channel, channels);
    std::uint32_t bits = 0;
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      const float value = fmaf(scales.at(i), octets[k].at(i), shifts.at(i));
      bits |= is_positive(value) ? 1U << i : 0U;
      octets[k].set(i, is_positive(value) ? value : 0.0F);
    }
    store_octet(octets[k], y, start, count, aligned);
    mask[start / octet_size] = static_cast<std::uint8_t>(bits & octet_bits_inside(start, count));
  }
}

template <class T>
__global__ void __launch_bounds__(octet_threads)
    affine_relu_gradient_kernel(const T* dy, const float* scale, const std::uint8_t* mask, T* dx, bool accumulate,
                                Channels channels, std::int64_t count, bool aligned) {
  Octet<T> gradients[octets_each];
  Octet<T> sums[octets_each];
  std::uint32_t bits[octets_each];
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const std::int64_t start = octet_start(k);
    bits[k] = start < count ? mask[start / octet_size] : 0U;
    gradients[k] = load_octet(dy, start, count, aligned);
    if (accumulate) sums[k] = load_octet(dx, start, count, aligned);
  }
#pragma unroll
  for (int k = 0; k < octets_each; ++k) {
    const Octet<float> scales = channel_values(scale, octet_channel(channels, k), channels);
#pragma unroll
    for (int i = 0; i < octet_size; ++i) {
      const float factor = (bits[k] >> i & 1U) != 0 ? scales.at(i) : 0.0F;
      const float gradient = (bits[k] >> i & 1U) != 0 ? gradients[k].at(i) : 0.0F;  // 0·NaN would be NaN
      gradients[k].set(i, accumulate ? fmaf(factor, gradient, sums[k].at(i)) : factor * gradient);
    }
    store_octet(gradients[k], dx, octet_start(k), count, aligned);
  }
}

Channels channels_of(AffineSizes sizes, bool aligned) {
  return {static_cast<std::uint32_t>(sizes.channels), static_cast<std::uint32_t>(octet_block_elements % sizes.channels),
          aligned && sizes.channels % octet_size == 0};
}

bool possible(AffineSizes sizes) {
  return sizes.channels >= 1 && sizes.channels <= most_channels;
}

}  // namespace

cudaError_t affine_relu(const void* x, const float* scale, const float* shift, void* y, std::uint8_t* mask,
                        Element element, AffineSizes sizes, cudaStream_t stream) {
  if (!possible(sizes)) return cudaErrorInvalidValue;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return launch_octets(affine_relu_kernel<T>, sizes.count, stream, static_cast<const T*>(x), scale, shift,
                         static_cast<T*>(y), mask, channels_of(sizes, on_packs(scale) && on_packs(shift)), sizes.count,
                         on_packs(x) && on_packs(y));
  });
}

cudaError_t affine_relu_gradient(const void* dy, const float* scale, const std::uint8_t* mask, void* dx,
                                 bool accumulate, Element element, AffineSizes sizes, cudaStream_t stream) {
  if (!possible(sizes)) return cudaErrorInvalidValue;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return launch_octets(affine_relu_gradient_kernel<T>, sizes.count, stream, static_cast<const T*>(dy), scale, mask,
                         static_cast<T*>(dx), accumulate, channels_of(sizes, on_packs(scale)), sizes.count,
                         on_packs(dy) && on_packs(dx));
  });
}

}  // namespace blindspot::kernels
