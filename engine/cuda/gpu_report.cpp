// The reasons of gpu_report.h.
#include "engine/cuda/gpu_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace blindspot::cuda {

namespace {

constexpr int least_compute_capability = 80;  // bf16 and TF32 tensor cores, asynchronous copies

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

}  // namespace

std::string why_no_gpu(const DriverFacts& facts) {
  if (!facts.driver_file) return "no NVIDIA driver: libcuda.so.1 was not found";
  // Within a major version a newer runtime runs on an older driver.
  if (facts.driver_version > 0 && facts.driver_version / 1000 < facts.runtime_version / 1000) {
    return fmt::format("the NVIDIA driver is too old: it is for CUDA {}, and CUDA {} or later is needed",
                       version_text(facts.driver_version), version_text(facts.runtime_version / 1000 * 1000));
  }
  if (facts.driver_version == 0 && !facts.error.empty()) {
    return fmt::format("the NVIDIA driver does not start: {}", facts.error);
  }
  if (!facts.error.empty()) return fmt::format("no GPU can be used: {}", facts.error);
  if (facts.count == 0) return "the NVIDIA driver is there, but no GPU";
  return {};
}

std::string why_no_cudnn(const LibraryFacts& library) {
  if (library.version >= 90000 && library.version < 100000) return {};
  return fmt::format("{} is cuDNN {}, version 9 is needed", library.path, library.version);
}

std::string why_not_with_driver(const LibraryFacts& library, int driver_version) {
  const int cuda_version = static_cast<int>(library.cuda_version);
  if (cuda_version / 1000 <= driver_version / 1000) return {};
  return fmt::format(
      "{} is for CUDA {}, the NVIDIA driver for CUDA {}; BLINDSPOT_CUDA_LIBRARIES may name the folder of "
      "an earlier one",
      library.path, version_text(cuda_version), version_text(driver_version));
}

std::string why_no_kernels(int compute_capability, const CompiledArchitectures& compiled) {
  const auto text = [](int capability) { return fmt::format("{}.{}", capability / 10, capability % 10); };
  if (compute_capability < least_compute_capability) {
    return fmt::format("its compute capability is {}; {} or later is needed", text(compute_capability),
                       text(least_compute_capability));
  }
  // Code for a compute capability runs on later ones of the same major version.
  const bool runs = std::any_of(compiled.real.begin(), compiled.real.end(), [&](int capability) {
    return capability / 10 == compute_capability / 10 && capability <= compute_capability;
  });
  if (runs || (compiled.virtual_architecture > 0 && compute_capability >= compiled.virtual_architecture)) return {};
  return fmt::format("this build has no kernels for compute capability {} (BLINDSPOT_CUDA_ARCHITECTURES of its build)",
                     text(compute_capability));
}

}  // namespace blindspot::cuda
