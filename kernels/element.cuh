// The element types of the kernels: what the launchers' headers need, and host code may include. May use the CUDA
// runtime alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace blindspot::kernels {

/// How an activation lies in memory; every kernel computes in float32.
enum class Element : std::uint8_t { float32, bfloat16, float16 };

}  // namespace blindspot::kernels
