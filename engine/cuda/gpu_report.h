// What GPUs there are and why one cannot be used. The reasons are made of plain facts, so that they are tested without
// a GPU; gathering the facts asks the CUDA runtime.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/cuda/plugin.h"

namespace blindspot::cuda {

/// What the CUDA runtime says about the machine.
struct DriverFacts {
  bool driver_file = false;  ///< libcuda.so.1 can be opened
  int driver_version = 0;    ///< 13000 for 13.0
  int runtime_version = 0;   ///< what this plug-in was built with
  int count = 0;             ///< GPUs
  std::string error;         ///< of counting them; empty if that went well
};

/// Why no GPU can be used, empty if one might: no driver, too old a driver, no GPU.
std::string why_no_gpu(const DriverFacts& facts);

/// What a library that was opened says of itself.
struct LibraryFacts {
  std::string path;
  std::size_t version = 0;       ///< 91900 for 9.19.0
  std::size_t cuda_version = 0;  ///< of the runtime that it holds: 13000 for 13.0, 0 where it does not tell
};

/// Why it cannot be used as cuDNN, empty if it can.
std::string why_no_cudnn(const LibraryFacts& library);
/// Why it does not run on a driver (13000 for 13.0), empty if it does: it may be of a later CUDA than the driver only
/// within a major version.
std::string why_not_with_driver(const LibraryFacts& library, int driver_version);

/// The compute capabilities (90 for 9.0) for which kernels are compiled; those of `virtual_architecture` and above also
/// run, being compiled by the driver.
struct CompiledArchitectures {
  std::span<const int> real;
  int virtual_architecture = 0;
};

/// Why kernels of ours do not run on a GPU, empty if they do.
std::string why_no_kernels(int compute_capability, const CompiledArchitectures& compiled);

DriverFacts driver_facts();
/// Everything, libraries included.
GpuReport report_gpus();

}  // namespace blindspot::cuda
