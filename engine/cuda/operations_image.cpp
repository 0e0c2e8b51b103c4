// From images to the network's input and back, and the walk's step on the way, on the CUDA device: checks of sizes, and
// the launch. May use cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/image_arrays.h"
#include "kernels/network_input.cuh"
#include "kernels/walk_step.cuh"

namespace blindspot::cuda {
namespace {

constexpr std::int64_t colours = 3;

kernels::Colours colours_of(const std::array<float, 3>& values) {
  return {{values[0], values[1], values[2]}};
}

bool is_input_of(const Array& y, const Array& images, const InputLayout& layout) {
  return images.type() == Type::float32 && images.shape().rank() == 4 && y.shape().rank() == 4 &&
         images.shape()[0] == y.shape()[0] && images.shape()[1] == colours && layout.block >= 1 &&
         y.shape()[3] >= layout.block * layout.block * colours;
}

kernels::InputShape input_shape(const Array& images, const Array& y, const InputLayout& layout) {
  const Shape& image = images.shape();
  const Shape& input = y.shape();
  return {image[0], image[2], image[3], input[1], input[2], input[3], layout.block};
}

}  // namespace

void CudaDevice::network_input(const Array& images, const InputLayout& layout, Array& y) {
  require_fit(is_input_of(y, images, layout), "network_input", y);
  launch("network_input", y, [&] {
    return kernels::network_input(elements<float>(images), colours_of(layout.mean), colours_of(layout.deviation),
                                  y.data(), element_of(y.type()), input_shape(images, y, layout), stream());
  });
}

void CudaDevice::image_gradient(const Array& dy, const InputLayout& layout, const Array* accepted, Array& dimages) {
  require_fit(is_input_of(dy, dimages, layout) && (accepted == nullptr || are_bytes(*accepted, images_of(dy))),
              "image_gradient", dy);
  const auto* const flags = accepted == nullptr ? nullptr : elements<std::uint8_t>(*accepted);
  launch("image_gradient", dy, [&] {
    return kernels::image_gradient(dy.data(), colours_of(layout.deviation), flags, elements<float>(dimages),
                                   element_of(dy.type()), input_shape(dimages, dy, layout), stream());
  });
}

void CudaDevice::step(const StepDescription& step, const StepArrays& arrays, const InputLayout& layout, Array& input) {
  const std::int64_t total = arrays.image.shape().count();
  const std::int64_t images = images_of(arrays.image);
  require_fit(is_input_of(input, arrays.image, layout) && are_floats(arrays.gradient, total) &&
                  are_floats(arrays.target, total) && are_floats(arrays.candidate, total) &&
                  (!step.adversarial || are_floats(arrays.adversarial, total)) &&
                  are_floats(arrays.inverse_scale, images) && are_floats(arrays.coefficient, images) &&
                  are_bytes(arrays.held, images),
              "step", arrays.image);
  const kernels::WalkStep numbers = {step.step_size, step.adversarial, step.adversarial_step};
  const kernels::WalkStepArrays pointers = {
      .gradient = elements<float>(arrays.gradient),
      .target = elements<float>(arrays.target),
      .image = elements<float>(arrays.image),
      .inverse_scale = elements<float>(arrays.inverse_scale),
      .coefficient = elements<float>(arrays.coefficient),
      .held = elements<std::uint8_t>(arrays.held),
      .adversarial = step.adversarial ? elements<float>(arrays.adversarial) : nullptr,
      .candidate = elements<float>(arrays.candidate)};
  launch("step", arrays.image, [&] {
    return kernels::walk_step(numbers, pointers,
                              {.mean = colours_of(layout.mean),
                               .deviation = colours_of(layout.deviation),
                               .shape = input_shape(arrays.image, input, layout),
                               .element = element_of(input.type()),
                               .y = input.data()},
                              stream());
  });
}

}  // namespace blindspot::cuda
