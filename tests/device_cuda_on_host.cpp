// tests/devices.h for the CUDA device on the host: its own code and kernels, and a reference in place of the libraries.
#include <utility>

#include "engine/cuda/cuda_device_class.h"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/cuda_on_host/reference_libraries.h"
#include "tests/devices.h"

namespace blindspot::tests {

std::string device_title() {
  return "cuda on the host";
}

std::vector<Precision> device_precisions() {
  return {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};
}

bool device_is_emulated() {
  return true;
}

void choose_order(std::uint64_t number) {
  cuda_on_host::set_seed(number);
}

std::unique_ptr<Device> device_for(Precision precision) {
  return cuda::make_device({.precision = precision, .number = 0}, std::make_shared<ReferenceLibraries>());
}

void run_on(Device& device, std::function<void()> work) {
  const auto& cuda_device = static_cast<cuda::CudaDevice&>(device);
  if (cuda_device.rehearsing()) return;
  cuda_device.check(cuda_on_host::enqueue(cuda_device.stream(),
                                          [work = std::move(work)] {
                                            work();
                                            return cudaSuccess;
                                          }),
                    "work of a test");
}

}  // namespace blindspot::tests
