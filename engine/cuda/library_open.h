// cuDNN and cuBLASLt behind MathLibraries: what the plug-in hands to the device. May use their parts, library_*.h.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/math_libraries.h"

namespace blindspot::cuda {

/// Why the libraries cannot be used with a driver (13000 for 13.0), empty if they can; needs no GPU.
std::string why_no_math_libraries(int driver_version);
/// "cuDNN 9.19.0, cuBLASLt 13.1.0"; where why_no_math_libraries() is empty.
std::string describe_math_libraries();
/// For the GPU of the number, with plans cached in the user's cache folder. Throws Error(device).
std::shared_ptr<MathLibraries> open_math_libraries(int gpu);

}  // namespace blindspot::cuda
