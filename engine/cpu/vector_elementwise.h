// Loops over elements for vector_kernels.cpp: ReLU and masks, channel-wise affine maps, sums, conversions, the walk's
// step. Forward and gradient stand side by side. Includes what vector_blocks.h includes and, as there, nothing that the
// levels could share.
#pragma once

#include "engine/cpu/vector_blocks.h"

namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL {

template <typename Element>
void pack_mask(const Element* y, std::uint8_t* mask, std::int64_t count) {
  Block block;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(y + i, count - i, block);
    store_bits(positive_bits(block), mask + i / 8, count - i);
  }
}

template <typename Element>
void apply_mask(Element* x, const std::uint8_t* mask, std::int64_t count) {
  Block block;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(x + i, count - i, block);
    apply_bits(load_bits(mask + i / 8, count - i), block);
    store_block(block, x + i, count - i);
  }
}

template <typename Element>
void relu(Element* x, std::uint8_t* mask, std::int64_t count) {
  Block block;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(x + i, count - i, block);
    const std::uint64_t bits = positive_bits(block);
    apply_bits(bits, block);
    store_block(block, x + i, count - i);
    store_bits(bits, mask + i / 8, count - i);
  }
}

inline void add_block(const Block& from, Block& to) {
  for (int i = 0; i < lanes; ++i) to.values[i] += from.values[i];
}

template <typename Element>
void add(const Element* from, Element* to, std::int64_t count) {
  Block addend, sum;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(from + i, count - i, addend);
    load_block(to + i, count - i, sum);
    add_block(addend, sum);
    store_block(sum, to + i, count - i);
  }
}

template <typename Element>
void add_and_mask(const Element* from, Element* to, const std::uint8_t* mask, std::int64_t count) {
  Block addend, sum;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(from + i, count - i, addend);
    load_block(to + i, count - i, sum);
    add_block(addend, sum);
    apply_bits(load_bits(mask + i / 8, count - i), sum);
    store_block(sum, to + i, count - i);
  }
}

/// 64 numbers of a per-channel list that repeats, from channel `first` on: straight from the list, or gathered.
inline const float* repeated(const float* list, std::int64_t channels, std::int64_t first, Block& gathered) {
  if (first + lanes <= channels) return list + first;
  for (std::int64_t done = 0; done < lanes;) {
    const std::int64_t run = smaller(channels - first, lanes - done);
    for (std::int64_t i = 0; i < run; ++i) gathered.values[done + i] = list[first + i];
    done += run;
    first = 0;
  }
  return gathered.values;
}

template <typename Element>
void affine_relu(const Element* x, const float* scale, const float* shift, std::int64_t channels,
                 std::int64_t first_channel, Element* y, std::uint8_t* mask, std::int64_t count) {
  Block block, gathered_scale, gathered_shift;
  std::int64_t channel = first_channel;
  for (std::int64_t i = 0; i < count; i += lanes) {
    const float* scales = repeated(scale, channels, channel, gathered_scale);
    const float* shifts = repeated(shift, channels, channel, gathered_shift);
    load_block(x + i, count - i, block);
    for (int lane = 0; lane < lanes; ++lane) block.values[lane] = block.values[lane] * scales[lane] + shifts[lane];
    const std::uint64_t bits = positive_bits(block);
    apply_bits(bits, block);
    store_block(block, y + i, count - i);
    store_bits(bits, mask + i / 8, count - i);
    channel = (channel + lanes) % channels;
  }
}

template <typename Element>
void affine_relu_gradient(const Element* dy, const float* scale, const std::uint8_t* mask, std::int64_t channels,
                          std::int64_t first_channel, Element* dx, bool accumulate, std::int64_t count) {
  Block block, sum, gathered_scale;
  std::int64_t channel = first_channel;
  for (std::int64_t i = 0; i < count; i += lanes) {
    const float* scales = repeated(scale, channels, channel, gathered_scale);
    load_block(dy + i, count - i, block);
    for (int lane = 0; lane < lanes; ++lane) block.values[lane] *= scales[lane];
    apply_bits(load_bits(mask + i / 8, count - i), block);
    if (accumulate) {
      load_block(dx + i, count - i, sum);
      add_block(sum, block);
    }
    store_block(block, dx + i, count - i);
    channel = (channel + lanes) % channels;
  }
}

template <typename From, typename To>
void convert(const From* from, To* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) store(load(from[i]), to[i]);
}

template <typename Element>
void poison(const Element* from, Element* to, std::int64_t count) {
  Block block, result;
  for (std::int64_t i = 0; i < count; i += lanes) {
    load_block(from + i, count - i, block);
    load_block(to + i, count - i, result);
    for (int lane = 0; lane < lanes; ++lane) result.values[lane] += 0.0F * block.values[lane];
    store_block(result, to + i, count - i);
  }
}

/// Squares of float32 stay far inside double's range, so J needs no scaling against underflow here.
inline GradientProducts gradient_products(const float* gradient, const float* image, const float* target,
                                          std::int64_t count) {
  constexpr int width = 16;
  double with_direction[width] = {};
  double with_itself[width] = {};
  std::int64_t i = 0;
  for (; i + width <= count; i += width) {
    for (int lane = 0; lane < width; ++lane) {
      const double value = gradient[i + lane];
      with_direction[lane] += value * (static_cast<double>(target[i + lane]) - static_cast<double>(image[i + lane]));
      with_itself[lane] += value * value;
    }
  }
  for (int lane = 0; i < count; ++i, ++lane) {
    const double value = gradient[i];
    with_direction[lane] += value * (static_cast<double>(target[i]) - static_cast<double>(image[i]));
    with_itself[lane] += value * value;
  }
  GradientProducts products{0, 0};
  for (int lane = 0; lane < width; ++lane) {
    products.with_direction += with_direction[lane];
    products.with_itself += with_itself[lane];
  }
  return products;
}

/// Between the limits; NaN stays NaN.
inline float clamp(float value, float low, float high) {
  const float raised = value < low ? low : value;
  return raised > high ? high : raised;
}

inline void step(const StepNumbers& numbers, const float* __restrict gradient, const float* __restrict target,
                 const float* __restrict image, float* __restrict adversarial, float* __restrict candidate,
                 std::int64_t count) {
  const float rate = numbers.step_size, coefficient = numbers.coefficient;
  if (!numbers.adversarial) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float direction = (target[i] - image[i]) - coefficient * gradient[i];
      candidate[i] = clamp(image[i] + rate * direction, 0.0F, 1.0F);
    }
    return;
  }
  const float limit = numbers.adversarial_step, half = limit / 2, inverse_scale = numbers.inverse_scale;
  for (std::int64_t i = 0; i < count; ++i) {
    const float direction = (target[i] - image[i]) - coefficient * gradient[i];
    const float sum = clamp(adversarial[i] + half * gradient[i] * inverse_scale, -limit, limit);
    adversarial[i] = sum;
    candidate[i] = clamp(image[i] + rate * direction - sum, 0.0F, 1.0F);
  }
}

}  // namespace blindspot::cpu::BLINDSPOT_VECTOR_LEVEL
