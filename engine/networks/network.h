// What the walk and the measures see of a vision network: images in, logits out, and the gradient with respect to the
// images. May use device.h and layers/network_images.h; knows no particular architecture.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "engine/device.h"
#include "engine/layers/network_images.h"

namespace blindspot {

enum class Pass : std::uint8_t { forward, backward };

/// Shown what a layer computes, under the layer's name in the original model: its output in the forward pass, the
/// gradient at its output in the backward pass. For comparing with another implementation; must not keep the array.
using LayerObserver = std::function<void(Pass pass, std::string_view layer, const Array& values)>;

/// A network prepared for `batch()` images on one device. Not safe for two threads at once.
class Network {
 public:
  virtual ~Network() = default;

  virtual std::int64_t batch() const = 0;
  virtual std::int64_t height() const = 0;
  virtual std::int64_t width() const = 0;
  virtual std::int64_t classes() const = 0;

  /// Images of [batch, 3, height, width] in [0, 1] → logits float32 [batch, classes]. Keeps what input_gradient needs
  /// until the next forward. `write_images` is called once.
  virtual Array forward(const WriteImages& write_images) = 0;
  /// Gradient with respect to the images of the last forward, from the gradient at the logits, float32 [batch,
  /// classes]. Once for each forward; `read_gradient` is called once.
  virtual void input_gradient(const Array& dlogits, const ReadGradient& read_gradient) = 0;
  /// Gives back what the last forward kept.
  virtual void forget() = 0;

  /// What follows a ReLU that is fused into the layer is shown behind it, its gradient before it.
  void set_layer_observer(LayerObserver observer) { observer_ = std::move(observer); }

 protected:
  const LayerObserver& observer() const { return observer_; }
  void observe(Pass pass, std::string_view layer, const Array& values) const {
    if (observer_) observer_(pass, layer, values);
  }

 private:
  LayerObserver observer_;
};

}  // namespace blindspot
