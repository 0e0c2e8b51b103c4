// What all networks of this folder have in common: the size of their input and of their output. Sees layers.
#pragma once

#include "engine/layers/stem_convolution.h"
#include "engine/networks/network.h"

namespace blindspot {

class PreparedNetwork : public Network {
 public:
  PreparedNetwork(Device& device, const NetworkInput& input, std::int64_t classes)
      : device_(&device), input_(input), classes_(classes) {}

  std::int64_t batch() const final { return input_.batch; }
  std::int64_t height() const final { return input_.height; }
  std::int64_t width() const final { return input_.width; }
  std::int64_t classes() const final { return classes_; }

 protected:
  Device& device() const { return *device_; }

 private:
  Device* device_;
  NetworkInput input_;
  std::int64_t classes_;
};

}  // namespace blindspot
