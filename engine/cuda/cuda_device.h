// The CUDA device: kernels of our own, cuDNN for convolutions and attention, cuBLASLt for matrix products. What the
// rest of the plug-in and the tests on the host see of it.
#pragma once

#include <memory>

#include "engine/cuda/math_libraries.h"
#include "engine/device.h"

namespace blindspot::cuda {

struct CudaOptions {
  Precision precision = Precision::tf32;
  int number = 0;  ///< which GPU, as the CUDA runtime counts
};

/// Throws Error(device) if the GPU cannot be used.
std::unique_ptr<Device> make_device(const CudaOptions& options, std::shared_ptr<MathLibraries> libraries);

}  // namespace blindspot::cuda
