// tests/devices.h for the CPU device.
#include <doctest/doctest.h>

#include "engine/cpu/cpu_device_class.h"
#include "tests/devices.h"

namespace blindspot::tests {

std::string device_title() {
  return "cpu";
}

std::vector<Precision> device_precisions() {
  return {Precision::fp32, Precision::bf16};
}

bool device_is_emulated() {
  return false;
}

void choose_order(std::uint64_t) {}

std::unique_ptr<Device> device_for(Precision precision) {
  if (precision == Precision::bf16 && !cpu::supports_bf16()) {
    MESSAGE("skipped: bf16 on a processor without AVX-512");
    return nullptr;
  }
  return cpu::make_device({.precision = precision, .threads = 2});
}

void run_on(Device& device,
            std::function<void()> work) {  // NOLINT(performance-unnecessary-value-param): others keep it
  if (!static_cast<cpu::CpuDevice&>(device).rehearsing()) work();
}

}  // namespace blindspot::tests
