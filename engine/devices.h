// From the option `--device` to a device: what there is, what was asked for, and making it. The only place above
// device.h that knows which devices exist.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "blindspot/model.h"
#include "engine/device.h"

namespace blindspot {

struct DeviceChoice {
  std::string device;  ///< "cpu" or "cuda:0"
  Precision precision = Precision::fp32;
  int threads = 0;
  int gpu = -1;      ///< number of the GPU; −1: the CPU
  std::string note;  ///< one line where `auto` had to do without the CUDA plug-in that is there, else empty
};

/// Throws Error(usage) for a name that is not auto|cpu|cuda[:N] or a precision that the device lacks, Error(device)
/// where the device is not there, with the reason and what to do.
DeviceChoice choose_device(const std::string& device, std::optional<Precision> precision, int threads);

std::unique_ptr<Device> make_device(const DeviceChoice& choice);

}  // namespace blindspot
