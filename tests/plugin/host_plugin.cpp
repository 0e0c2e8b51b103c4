// The CUDA device on the host execution of CUDA as a plug-in, so that the program itself runs on a "GPU" in a test.
// Faults are asked for by environment: $HOST_GPU_LOST_AFTER launches the device is lost, $HOST_GPU_MEMORY bytes are all
// it has. $HOST_GPU_WAY is the number of the way that is the fastest, whatever the sizes, so that a number does not
// depend on how many images there are at a time.
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/plugin.h"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/cuda_on_host/reference_libraries.h"

namespace {

using blindspot::Precision;
using blindspot::cuda::GpuReport;

/// 0 where the variable is not set.
std::int64_t number_in(const char* variable) {
  const char* text = std::getenv(variable);
  std::int64_t number = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

GpuReport report() {
  return {"",
          {{0,
            "the host",
            "",
            {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16},
            std::uint64_t{1} << 34U}}};
}

std::unique_ptr<blindspot::Device> make_device(int number, Precision precision) {
  static const bool faults_are_set = [] {
    if (const std::int64_t bytes = number_in("HOST_GPU_MEMORY"); bytes > 0) {
      cuda_on_host::set_memory_limit(static_cast<std::size_t>(bytes));
    }
    cuda_on_host::fail_launch(number_in("HOST_GPU_LOST_AFTER"), cudaErrorLaunchFailure);
    return true;
  }();
  (void)faults_are_set;
  blindspot::tests::ReferenceOptions options;
  if (const std::int64_t way = number_in("HOST_GPU_WAY"); way > 0) options.way = static_cast<std::size_t>(way);
  return blindspot::cuda::make_device({.precision = precision, .number = number},
                                      std::make_shared<blindspot::tests::ReferenceLibraries>(options));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const blindspot::cuda::PluginTable* blindspot_cuda_plugin() {
  static constexpr blindspot::cuda::PluginTable table{blindspot::cuda::interface_text(), report, make_device};
  return &table;
}
