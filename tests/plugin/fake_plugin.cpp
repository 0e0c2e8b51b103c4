// A plug-in for the tests: it reports the GPUs that $FAKE_GPUS names, and has no device.
#include <cstdlib>
#include <string_view>

#include "engine/cuda/plugin.h"

#ifndef FAKE_INTERFACE
#define FAKE_INTERFACE blindspot::cuda::interface_text()
#endif
#ifndef FAKE_FUNCTION
#define FAKE_FUNCTION blindspot_cuda_plugin
#endif

namespace {

using blindspot::Precision;
using blindspot::cuda::GpuReport;

GpuReport report() {
  const char* variable = std::getenv("FAKE_GPUS");
  const std::string_view wanted = variable == nullptr ? "" : variable;
  if (wanted == "two") {
    return {"",
            {{0, "a GPU", "", {Precision::fp32, Precision::tf32, Precision::bf16}, 80},
             {1, "an old GPU", "its compute capability is 7.5; 8.0 or later is needed", {}, 16}}};
  }
  if (wanted == "old") return {"", {{0, "an old GPU", "its compute capability is 7.5", {}, 16}}};
  return {"no NVIDIA driver: libcuda.so.1 was not found", {}};
}

std::unique_ptr<blindspot::Device> make_device(int number, Precision precision) {
  throw blindspot::Error(
      blindspot::ErrorKind::device,
      "the fake GPU " + std::to_string(number) + " has no device for " + std::to_string(static_cast<int>(precision)));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const blindspot::cuda::PluginTable* FAKE_FUNCTION() {
  static const blindspot::cuda::PluginTable table{FAKE_INTERFACE, report, make_device};
  return &table;
}
