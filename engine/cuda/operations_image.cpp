// From images to the network's input and back, on the CUDA device: checks of sizes, and the launch. May use
// cuda_device_class.h and the kernels.
#include "engine/cuda/cuda_device_class.h"
#include "kernels/network_input.cuh"

namespace blindspot::cuda {
namespace {

constexpr std::int64_t colours = 3;

kernels::Colours colours_of(std::span<const float, 3> values) {
  return {{values[0], values[1], values[2]}};
}

bool is_input_of(const Array& y, const Array& images, std::int64_t block) {
  return images.type() == Type::float32 && images.shape().rank() == 4 && y.shape().rank() == 4 &&
         images.shape()[0] == y.shape()[0] && images.shape()[1] == colours && block >= 1 &&
         y.shape()[3] >= block * block * colours;
}

kernels::InputShape input_shape(const Array& images, const Array& y, std::int64_t block) {
  const Shape& image = images.shape();
  const Shape& input = y.shape();
  return {image[0], image[2], image[3], input[1], input[2], input[3], block};
}

}  // namespace

void CudaDevice::network_input(const Array& images, std::span<const float, 3> mean, std::span<const float, 3> deviation,
                               std::int64_t block, Array& y) {
  require_fit(is_input_of(y, images, block), "network_input", y);
  const kernels::Element element = element_of(y.type());
  launch("network_input", y, [&] {
    return kernels::network_input(reinterpret_cast<const float*>(images.data()), colours_of(mean),
                                  colours_of(deviation), y.data(), element, input_shape(images, y, block), stream_);
  });
}

void CudaDevice::image_gradient(const Array& dy, std::span<const float, 3> deviation, std::int64_t block,
                                Array& dimages) {
  require_fit(is_input_of(dy, dimages, block), "image_gradient", dy);
  const kernels::Element element = element_of(dy.type());
  launch("image_gradient", dy, [&] {
    return kernels::image_gradient(dy.data(), colours_of(deviation), reinterpret_cast<float*>(dimages.data()), element,
                                   input_shape(dimages, dy, block), stream_);
  });
}

}  // namespace blindspot::cuda
