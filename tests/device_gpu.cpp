// tests/devices.h for the CUDA device on a GPU, made by the plug-in as the program itself makes it.
// CUDA_VISIBLE_DEVICES says on which.
#include "tests/device_gpu.h"

#include <doctest/doctest.h>

#include "engine/plugin_loader.h"
#include "tests/devices.h"

namespace blindspot::tests {
namespace {

std::string ask_for_a_gpu() {
  const LoadedPlugin& plugin = cuda_plugin();
  if (plugin.table == nullptr) return plugin.reason;
  const cuda::GpuReport report = plugin.table->report();
  if (report.gpus.empty()) return report.reason;
  return report.gpus.front().reason;
}

}  // namespace

const std::string& why_no_gpu() {
  static const std::string reason = ask_for_a_gpu();
  return reason;
}

std::string device_title() {
  return "gpu";
}

std::vector<Precision> device_precisions() {
  return {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};
}

bool device_is_emulated() {
  return false;
}

void choose_order(std::uint64_t) {}

std::unique_ptr<Device> device_for(Precision precision) {
  if (!why_no_gpu().empty()) {
    MESSAGE("skipped: no GPU: ", why_no_gpu());
    return nullptr;
  }
  return cuda_plugin().table->make_device(0, precision);
}

}  // namespace blindspot::tests
