// What is thrown where CUDA or a library refuses a call: want of memory is told apart, since a smaller batch may do.
// May use the CUDA runtime and device.h.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "engine/device.h"

namespace blindspot::cuda {

/// OutOfMemory or Error(device). The runtime forgets the refusal, which must not be taken for a later call's.
[[noreturn]] inline void throw_refusal(bool memory_ran_out, const std::string& message) {
  (void)cudaGetLastError();
  if (memory_ran_out) throw OutOfMemory(message);
  throw Error(ErrorKind::device, message);
}

[[noreturn]] inline void throw_refusal(cudaError_t status, const std::string& message) {
  throw_refusal(status == cudaErrorMemoryAllocation, message);
}

/// Whether what cuDNN or cudnn-frontend says is that memory ran out: cudnn-frontend hands on statuses, its own and
/// those of CUDA, as text alone.
inline bool says_memory_ran_out(std::string_view reason) {
  constexpr std::array<std::string_view, 4> sayings{"ALLOC_FAILED", "ALLOCATION_FAILED", "out of memory",
                                                    "OUT_OF_MEMORY"};
  return std::any_of(sayings.begin(), sayings.end(),
                     [&](std::string_view saying) { return reason.find(saying) != std::string_view::npos; });
}

}  // namespace blindspot::cuda
