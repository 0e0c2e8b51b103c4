// How images come into a network and their gradient out of it: written and read by whoever has them, in the layout that
// the network's first layer asks for, so that the walk's arithmetic and the change of layout are one pass over memory.
// May use device.h only.
#pragma once

#include <functional>

#include "engine/device.h"

namespace blindspot {

/// Writes a batch of images into `input`, [N, H', W', C] as Device::network_input has it.
using WriteImages = std::function<void(const InputLayout& layout, Array& input)>;
/// Mirror: reads the gradient at that input, `dinput`, as Device::image_gradient does.
using ReadGradient = std::function<void(const InputLayout& layout, const Array& dinput)>;

/// The images of an array, float32 [N, 3, H, W] in [0, 1]. Both must outlive the call.
inline WriteImages images_from(Device& device, const Array& images) {
  return [&device, &images](const InputLayout& layout, Array& input) { device.network_input(images, layout, input); };
}

/// The gradient with respect to the images into an array, float32 [N, 3, H, W]. Both must outlive the call.
inline ReadGradient gradient_into(Device& device, Array& dimages) {
  return [&device, &dimages](const InputLayout& layout, const Array& dinput) {
    device.image_gradient(dinput, layout, nullptr, dimages);
  };
}

}  // namespace blindspot
