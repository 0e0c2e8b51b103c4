// The plug-in's one exported function and what it offers: the GPUs of this machine and the device on one of them. May
// use everything of this folder.
#include "engine/cuda/plugin.h"

#include <cuda_runtime.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "engine/cuda/cuda_device.h"
#include "engine/cuda/gpu_report.h"
#include "engine/cuda/library_open.h"

namespace blindspot::cuda {

namespace {

constexpr std::array<int, BLINDSPOT_CUDA_REAL_COUNT> real_architectures{BLINDSPOT_CUDA_REAL_ARCHITECTURES};

GpuInformation information_of(int number, const std::string& why_no_libraries) {
  GpuInformation gpu;
  gpu.number = number;
  cudaDeviceProp properties{};
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, number); status != cudaSuccess) {
    gpu.reason = cudaGetErrorString(status);
    return gpu;
  }
  gpu.memory_bytes = properties.totalGlobalMem;
  gpu.description = fmt::format("{}, compute capability {}.{}", properties.name, properties.major, properties.minor);
  if (why_no_libraries.empty()) gpu.description += ", " + describe_math_libraries();
  gpu.reason = why_no_kernels(properties.major * 10 + properties.minor,
                              {real_architectures, BLINDSPOT_CUDA_VIRTUAL_ARCHITECTURE});
  if (gpu.reason.empty()) gpu.reason = why_no_libraries;
  if (gpu.reason.empty()) gpu.precisions = {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};
  return gpu;
}

std::unique_ptr<Device> make_device_of(int number, Precision precision) {
  return make_device({precision, number}, open_math_libraries(number));
}

GpuReport report() {
  try {
    return report_gpus();
  } catch (const std::exception& exception) {
    return {exception.what(), {}};
  }
}

}  // namespace

DriverFacts driver_facts() {
  DriverFacts facts;
  // The runtime gives one and the same error for a driver that is missing and for one that is too old.
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  facts.driver_file = driver != nullptr;
  if (driver == nullptr) return facts;
  dlclose(driver);
  (void)cudaDriverGetVersion(&facts.driver_version);
  (void)cudaRuntimeGetVersion(&facts.runtime_version);
  const cudaError_t status = cudaGetDeviceCount(&facts.count);
  if (status != cudaSuccess && status != cudaErrorNoDevice) facts.error = cudaGetErrorString(status);
  if (status != cudaSuccess) facts.count = 0;
  (void)cudaGetLastError();
  return facts;
}

GpuReport report_gpus() {
  const DriverFacts facts = driver_facts();
  GpuReport report;
  report.reason = why_no_gpu(facts);
  if (!report.reason.empty()) return report;
  const std::string why_no_libraries = why_no_math_libraries(facts.driver_version);
  for (int number = 0; number < facts.count; ++number) {
    report.gpus.push_back(information_of(number, why_no_libraries));
  }
  return report;
}

}  // namespace blindspot::cuda

extern "C" __attribute__((visibility("default"))) const blindspot::cuda::PluginTable* blindspot_cuda_plugin() {
  static constexpr blindspot::cuda::PluginTable table{blindspot::cuda::interface_text(), blindspot::cuda::report,
                                                      blindspot::cuda::make_device_of};
  return &table;
}
