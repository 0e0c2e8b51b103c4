// The loss at the logits and the walk's decisions on the CUDA device: checks of sizes, and the launch. May use
// cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/image_arrays.h"
#include "kernels/cross_entropy.cuh"
#include "kernels/select.cuh"
#include "kernels/walk_projection.cuh"

namespace blindspot::cuda {
namespace {

/// [N, K] and int32 [N].
bool are_logits(const Array& logits, const Array& classes) {
  return logits.type() == Type::float32 && logits.shape().rank() == 2 && classes.type() == Type::int32 &&
         classes.shape().count() == logits.shape()[0];
}

bool has_element(Type type) {
  return type == Type::float32 || type == Type::bfloat16 || type == Type::float16;
}

}  // namespace

void CudaDevice::probability(const Array& logits, const Array& classes, Array& probability) {
  require_fit(are_logits(logits, classes) && are_floats(probability, logits.shape()[0]), "probability", logits);
  launch("probability", logits, [&] {
    return kernels::probability(elements<float>(logits), elements<std::int32_t>(classes), logits.shape()[0],
                                logits.shape()[1], elements<float>(probability), stream());
  });
}

void CudaDevice::cross_entropy_seed(const Array& logits, const Array& classes, Array& seed, Array& inverse_scale) {
  require_fit(are_logits(logits, classes) && are_floats(seed, logits.shape().count()) &&
                  are_floats(inverse_scale, logits.shape()[0]),
              "cross_entropy_seed", logits);
  launch("cross_entropy_seed", logits, [&] {
    return kernels::cross_entropy_seed(elements<float>(logits), elements<std::int32_t>(classes), logits.shape()[0],
                                       logits.shape()[1], elements<float>(seed), elements<float>(inverse_scale),
                                       stream());
  });
}

void CudaDevice::projection(const StepDescription& step, const ProjectionArrays& arrays) {
  const std::int64_t total = arrays.gradient.shape().count();
  const std::int64_t images = images_of(arrays.gradient);
  require_fit(are_floats(arrays.gradient, total) && are_floats(arrays.target, total) &&
                  are_floats(arrays.candidate, total) && are_floats(arrays.image, total) &&
                  are_bytes(arrays.accepted, images) && are_floats(arrays.coefficient, images),
              "projection", arrays.gradient);
  const std::int64_t count = image_elements(arrays.gradient);
  // Doubles, seen as twice as many float32.
  const Array scratch = array(Type::float32, {kernels::walk_projection_scratch(images, count), 2});
  const kernels::WalkProjectionArrays pointers = {.gradient = elements<float>(arrays.gradient),
                                                  .target = elements<float>(arrays.target),
                                                  .candidate = elements<float>(arrays.candidate),
                                                  .accepted = elements<std::uint8_t>(arrays.accepted),
                                                  .image = elements<float>(arrays.image),
                                                  .scratch = elements<double>(scratch),
                                                  .coefficient = elements<float>(arrays.coefficient)};
  launch("projection", arrays.gradient, [&] {
    return kernels::walk_projection({step.zero_gradient_is_nan, step.poison}, pointers, images, count, stream());
  });
}

void CudaDevice::accept(const Array& start_probability, const Array& candidate_probability, float delta,
                        Array& accepted) {
  const std::int64_t images = accepted.shape().count();
  require_fit(
      are_floats(start_probability, images) && are_floats(candidate_probability, images) && are_bytes(accepted, images),
      "accept", accepted);
  launch("accept", accepted, [&] {
    return kernels::accept(elements<float>(start_probability), elements<float>(candidate_probability), delta, images,
                           elements<std::uint8_t>(accepted), stream());
  });
}

void CudaDevice::select(const Array& accepted, const Array& from, bool poison, Array& to) {
  const std::int64_t images = images_of(to);
  require_fit(to.shape().rank() > 0 && are_bytes(accepted, images) && from.type() == to.type() &&
                  to.type() != Type::mask && from.shape().count() == to.shape().count(),
              "select", to);
  const std::int64_t count = image_elements(to);
  launch("select", to, [&] {
    if (poison && has_element(to.type())) {
      return kernels::select_with_poison(elements<std::uint8_t>(accepted), from.data(), to.data(),
                                         element_of(to.type()), images, count, stream());
    }
    return kernels::select(elements<std::uint8_t>(accepted), from.data(), to.data(), images,
                           count * static_cast<std::int64_t>(element_bytes(to.type())), stream());
  });
}

void CudaDevice::note_judgement(const Array& probability, const Array& target_probability, const Array& accepted,
                                Array& counter, Array& history) {
  const Shape& shape = history.shape();  // [rounds, 3, B]
  require_fit(history.type() == Type::float32 && shape.rank() == 3 && shape[1] == 3 &&
                  are_floats(probability, shape[2]) && are_floats(target_probability, shape[2]) &&
                  are_bytes(accepted, shape[2]) && counter.type() == Type::int32 && counter.shape().count() == 1,
              "note_judgement", history);
  launch("note_judgement", history, [&] {
    return kernels::note_judgement(elements<float>(probability), elements<float>(target_probability),
                                   elements<std::uint8_t>(accepted), shape[2], elements<std::int32_t>(counter),
                                   elements<float>(history), shape[0], stream());
  });
}

}  // namespace blindspot::cuda
