// The loss at the logits and the walk's update on the CPU device: double where digits would be lost, one pass over
// memory for each operation, sums in chunks of a fixed size so that bits do not depend on the number of threads. May
// use operations.h.
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/cpu/operations.h"

namespace blindspot::cpu {
namespace {

/// Elements of one image whose sums are formed together; never depends on threads.
constexpr std::int64_t chunk_elements = 16384;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::int64_t chunks_of(std::int64_t count) {
  return (count + chunk_elements - 1) / chunk_elements;
}

/// Calls body(image, first, count) for every chunk of every image, in parallel.
template <typename Body>
void over_chunks(const CpuDevice& device, std::int64_t images, std::int64_t count, const Body& body) {
  const std::int64_t chunks = chunks_of(count);
  device.parallel_for(images * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t first = at % chunks * chunk_elements;
      body(at / chunks, first, std::min(chunk_elements, count - first));
    }
  });
}

bool are_floats(const Array& array, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == count;
}

void require_logits(const Array& logits, const Array& classes, const char* operation) {
  require(logits.type() == Type::float32 && logits.shape().rank() == 2 && classes.type() == Type::int32 &&
              classes.shape().count() == logits.shape()[0],
          operation);
}

/// softmax(logits)[own]; NaN for a class that does not exist.
float softmax_entry(const float* logits, std::int64_t classes, std::int64_t own) {
  if (own < 0 || own >= classes) return nan;
  const auto largest = static_cast<double>(*std::max_element(logits, logits + classes));
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - largest);
  return static_cast<float>(std::exp(static_cast<double>(logits[own]) - largest) / sum);
}

/// 1 − p as mantissa·2^exponent.
struct Remainder {
  double mantissa = 0;
  int exponent = 0;
};

/// From the sum of the other classes' exp(logit − largest other logit) and the own logit less that largest one. The
/// quotient would underflow for leads beyond 700: then it is formed from its logarithm.
Remainder remainder_of(double others, double lead) {
  Remainder remainder;
  if (lead < 600) {
    remainder.mantissa = std::frexp(others / (others + std::exp(lead)), &remainder.exponent);
  } else {
    const double logarithm = std::log2(others) - lead / std::log(2.0);
    const double whole = std::floor(logarithm) + 1;
    remainder.mantissa = std::exp2(logarithm - whole);
    remainder.exponent = static_cast<int>(std::max(whole, -1.0e6));
  }
  // Rounded to float32 the mantissa may reach 1.
  if (static_cast<float>(remainder.mantissa) >= 1.0F) {
    remainder.mantissa /= 2;
    ++remainder.exponent;
  }
  return remainder;
}

/// One row of cross_entropy_seed; returns the inverse scale.
float seed_row(const float* logits, std::int64_t classes, std::int64_t own, float* seed) {
  if (own < 0 || own >= classes) {
    std::fill_n(seed, classes, nan);
    return 1.0F;
  }
  std::fill_n(seed, classes, 0.0F);
  float largest = -std::numeric_limits<float>::infinity();
  bool undefined = std::isnan(logits[own]);
  for (std::int64_t k = 0; k < classes; ++k) {
    undefined = undefined || std::isnan(logits[k]);
    if (k != own) largest = std::max(largest, logits[k]);
  }
  if (undefined || largest == std::numeric_limits<float>::infinity()) {
    std::fill_n(seed, classes, nan);
    return 1.0F;
  }
  const double lead = static_cast<double>(logits[own]) - static_cast<double>(largest);
  if (lead == std::numeric_limits<double>::infinity()) return 1.0F;  // no other class has any weight
  double others = 0;
  for (std::int64_t k = 0; k < classes; ++k) {
    if (k != own) others += std::exp(static_cast<double>(logits[k]) - static_cast<double>(largest));
  }
  const Remainder remainder = remainder_of(others, lead);
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) {
    if (k == own) continue;
    const double share = std::exp(static_cast<double>(logits[k]) - static_cast<double>(largest)) / others;
    const double entry = share * remainder.mantissa;
    seed[k] = static_cast<float>(entry);
    sum += entry;
  }
  seed[own] = -static_cast<float>(sum);
  return static_cast<float>(std::ldexp(1.0, remainder.exponent));
}

}  // namespace

void CpuDevice::probability(const Array& logits, const Array& classes, Array& probability) {
  require_logits(logits, classes, "probability");
  require(are_floats(probability, logits.shape()[0]), "probability");
  const std::int64_t count = logits.shape()[1];
  parallel_for(logits.shape()[0], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      elements<float>(probability)[image] =
          softmax_entry(elements<float>(logits) + image * count, count, elements<std::int32_t>(classes)[image]);
    }
  });
}

void CpuDevice::cross_entropy_seed(const Array& logits, const Array& classes, Array& seed, Array& inverse_scale) {
  require_logits(logits, classes, "cross_entropy_seed");
  require(are_floats(seed, logits.shape().count()) && are_floats(inverse_scale, logits.shape()[0]),
          "cross_entropy_seed");
  const std::int64_t count = logits.shape()[1];
  parallel_for(logits.shape()[0], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      elements<float>(inverse_scale)[image] =
          seed_row(elements<float>(logits) + image * count, count, elements<std::int32_t>(classes)[image],
                   elements<float>(seed) + image * count);
    }
  });
}

/// What is taken over is still in the cache when it is multiplied.
void CpuDevice::projection(const StepDescription& step, const ProjectionArrays& arrays) {
  const std::int64_t total = arrays.gradient.shape().count();
  const std::int64_t images = arrays.gradient.shape()[0];
  require(are_floats(arrays.gradient, total) && are_floats(arrays.target, total) &&
              are_floats(arrays.candidate, total) && are_floats(arrays.image, total) &&
              arrays.accepted.type() == Type::uint8 && arrays.accepted.shape().count() == images &&
              are_floats(arrays.coefficient, images),
          "projection");
  const std::int64_t count = elements_per_image(arrays.gradient);
  const std::int64_t chunks = chunks_of(count);
  // [B, chunks, 2] doubles, seen as twice as many float32.
  const Array partial = array(Type::float32, {images, chunks, 4});
  over_chunks(*this, images, count, [&](std::int64_t b, std::int64_t first, std::int64_t part) {
    const std::int64_t at = b * count + first;
    float* const image = elements<float>(arrays.image) + at;
    if (elements<std::uint8_t>(arrays.accepted)[b] != 0) {
      std::copy_n(elements<float>(arrays.candidate) + at, part, image);
    } else if (step.poison) {
      kernels().float32.poison(elements<float>(arrays.candidate) + at, image, part);
    }
    const GradientProducts products = kernels().gradient_products(elements<float>(arrays.gradient) + at, image,
                                                                  elements<float>(arrays.target) + at, part);
    auto* to = elements<double>(partial) + (b * chunks + first / chunk_elements) * 2;
    to[0] = products.with_direction;
    to[1] = products.with_itself;
  });
  parallel_for(images, images, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      double with_direction = 0;
      double with_itself = 0;
      for (std::int64_t chunk = b * chunks; chunk < (b + 1) * chunks; ++chunk) {
        with_direction += elements<double>(partial)[chunk * 2];
        with_itself += elements<double>(partial)[chunk * 2 + 1];
      }
      const float of_zero = step.zero_gradient_is_nan ? nan : 0.0F;
      elements<float>(arrays.coefficient)[b] =
          with_itself == 0 ? of_zero : static_cast<float>(with_direction / with_itself);
    }
  });
}

/// The candidate is still in the cache, most of it, when it becomes the network's input.
void CpuDevice::step(const StepDescription& step, const StepArrays& arrays, const InputLayout& layout, Array& input) {
  const std::int64_t total = arrays.image.shape().count();
  const std::int64_t images = arrays.image.shape()[0];
  require(are_floats(arrays.gradient, total) && are_floats(arrays.target, total) && are_floats(arrays.image, total) &&
              are_floats(arrays.candidate, total) && (!step.adversarial || are_floats(arrays.adversarial, total)) &&
              are_floats(arrays.inverse_scale, images) && are_floats(arrays.coefficient, images) &&
              arrays.held.type() == Type::uint8 && arrays.held.shape().count() == images,
          "step");
  const std::int64_t count = elements_per_image(arrays.image);
  over_chunks(*this, images, count, [&](std::int64_t b, std::int64_t first, std::int64_t part) {
    const std::int64_t at = b * count + first;
    const float* image = elements<float>(arrays.image) + at;
    float* candidate = elements<float>(arrays.candidate) + at;
    if (elements<std::uint8_t>(arrays.held)[b] != 0) {
      std::copy_n(image, part, candidate);
      return;
    }
    const StepNumbers numbers = {.step_size = step.step_size,
                                 .coefficient = elements<float>(arrays.coefficient)[b],
                                 .inverse_scale = elements<float>(arrays.inverse_scale)[b],
                                 .adversarial_step = step.adversarial_step,
                                 .adversarial = step.adversarial};
    kernels().step(numbers, elements<float>(arrays.gradient) + at, elements<float>(arrays.target) + at, image,
                   step.adversarial ? elements<float>(arrays.adversarial) + at : nullptr, candidate, part);
  });
  network_input(arrays.candidate, layout, input);
}

void CpuDevice::accept(const Array& start_probability, const Array& candidate_probability, float delta,
                       Array& accepted) {
  const std::int64_t images = accepted.shape().count();
  require(are_floats(start_probability, images) && are_floats(candidate_probability, images) &&
              accepted.type() == Type::uint8,
          "accept");
  parallel_for(images, images, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const float drop = elements<float>(start_probability)[b] - elements<float>(candidate_probability)[b];
      elements<std::uint8_t>(accepted)[b] = drop < delta ? 1 : 0;
    }
  });
}

void CpuDevice::select(const Array& accepted, const Array& from, bool poison, Array& to) {
  const std::int64_t images = accepted.shape().count();
  require(accepted.type() == Type::uint8 && from.type() == to.type() && to.shape().rank() > 0 &&
              to.shape()[0] == images && from.shape().count() == to.shape().count(),
          "select");
  const std::int64_t count = elements_per_image(to);
  const std::size_t element = element_bytes(to.type());
  over_chunks(*this, images, count, [&](std::int64_t b, std::int64_t first, std::int64_t part) {
    const std::int64_t at = b * count + first;
    const std::size_t offset = static_cast<std::size_t>(at) * element;
    if (elements<std::uint8_t>(accepted)[b] != 0) {
      std::memcpy(to.data() + offset, from.data() + offset, static_cast<std::size_t>(part) * element);
    } else if (poison && to.type() == Type::float32) {
      kernels().float32.poison(elements<float>(from) + at, elements<float>(to) + at, part);
    } else if (poison && to.type() == Type::bfloat16) {
      kernels().bfloat16.poison(elements<Bfloat16>(from) + at, elements<Bfloat16>(to) + at, part);
    }
  });
}

void CpuDevice::note_judgement(const Array& probability, const Array& target_probability, const Array& accepted,
                               Array& counter, Array& history) {
  const Shape& shape = history.shape();  // [rounds, 3, B]
  require(history.type() == Type::float32 && shape.rank() == 3 && shape[1] == 3 && are_floats(probability, shape[2]) &&
              are_floats(target_probability, shape[2]) && accepted.type() == Type::uint8 &&
              accepted.shape().count() == shape[2] && counter.type() == Type::int32 && counter.shape().count() == 1,
          "note_judgement");
  parallel_for(1, 1, [&](std::int64_t, std::int64_t) {
    std::int32_t& round = *elements<std::int32_t>(counter);
    if (round < 0 || round >= shape[0]) return;
    float* to = elements<float>(history) + 3 * shape[2] * round;
    std::copy_n(elements<float>(probability), shape[2], to);
    std::copy_n(elements<float>(target_probability), shape[2], to + shape[2]);
    std::copy_n(elements<std::uint8_t>(accepted), shape[2], to + 2 * shape[2]);
    ++round;
  });
}

}  // namespace blindspot::cpu
