// Implementation of devices.h, and of list_devices in the public header model.h.
#include "engine/devices.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "engine/cpu/cpu_device.h"

namespace blindspot {

namespace {

constexpr const char* no_cuda = "this build has no CUDA device; use --device cpu";

bool is_cuda_name(const std::string& device) {
  if (device == "cuda") return true;
  return device.starts_with("cuda:") && device.size() > 5 && device.size() < 9 &&
         std::all_of(device.begin() + 5, device.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<Precision> cpu_precisions() {
  std::vector<Precision> precisions{Precision::fp32};
  if (cpu::supports_bf16()) precisions.push_back(Precision::bf16);
  return precisions;
}

}  // namespace

std::vector<DeviceInformation> list_devices() {
  DeviceInformation processor;
  processor.name = "cpu";
  processor.description = cpu::describe_processor();
  processor.usable = true;
  processor.precisions = cpu_precisions();
  processor.memory_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  DeviceInformation gpu;
  gpu.name = "cuda";
  gpu.reason = no_cuda;
  return {processor, gpu};
}

DeviceChoice choose_device(const std::string& device, std::optional<Precision> precision, int threads) {
  if (is_cuda_name(device)) throw Error(ErrorKind::device, fmt::format("--device {}: {}", device, no_cuda));
  if (device != "auto" && device != "cpu") {
    throw Error(ErrorKind::usage, fmt::format("--device {}: it must be auto, cpu or cuda[:N]", device));
  }
  if (threads < 0) throw Error(ErrorKind::usage, fmt::format("--threads {}: it must be 0 or more", threads));
  DeviceChoice choice{"cpu", precision.value_or(Precision::fp32), threads};
  const std::vector<Precision> available = cpu_precisions();
  if (std::find(available.begin(), available.end(), choice.precision) == available.end()) {
    const char* reason =
        choice.precision == Precision::bf16 ? "bf16 needs a processor with AVX-512" : "the CPU has fp32 and bf16";
    throw Error(ErrorKind::usage, fmt::format("--precision {}: {}", to_string(choice.precision), reason));
  }
  return choice;
}

std::unique_ptr<Device> make_device(const DeviceChoice& choice) {
  return cpu::make_device({choice.precision, choice.threads});
}

}  // namespace blindspot
