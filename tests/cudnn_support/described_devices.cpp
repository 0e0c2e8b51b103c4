// Implementation of described_devices.h. cuDNN wants all keys: 9.19 knows 23, 9.28 the last three too. The limits are
// those of compute capability 9.0 in the CUDA programming guide; memory, cache and clocks are what the two GPUs report
// of themselves.
#include "tests/cudnn_support/described_devices.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace blindspot::tests {

namespace {

struct Particulars {
  const char* name;
  std::int64_t memory_bytes, cache_bytes, memory_kilohertz, bus_bits;
};

DescribedDevice hopper(const Particulars& gpu) {
  nlohmann::json properties;
  properties["deviceVer"] = 900;
  properties["deviceName"] = gpu.name;
  properties["cudaDeviceId"] = 0;
  properties["driverVer"] = 13000;
  properties["pciDeviceId"] = 0;
  properties["isTccDriver"] = 0;
  properties["supportCoopLaunch"] = 1;
  properties["multiProcessorCount"] = 132;
  properties["totalGlobalMem"] = gpu.memory_bytes;
  properties["l2CacheSize"] = gpu.cache_bytes;
  properties["smClockRateKHz"] = 1980000;
  properties["memClockRateKHz"] = gpu.memory_kilohertz;
  properties["maxSharedMemoryPerBlock"] = 48 * 1024;
  properties["maxSharedMemoryPerBlockOptin"] = 227 * 1024;
  properties["reservedSharedMemoryPerBlock"] = 1024;
  properties["regsPerBlock"] = 65536;
  properties["maxRegistersPerSM"] = 65536;
  properties["maxThreadsPerBlock"] = 1024;
  properties["maxThreadsPerSM"] = 2048;
  properties["maxCtasPerSM"] = 32;
  properties["maxBlockSize"] = {1024, 1024, 64};
  properties["maxGridSize"] = {2147483647, 65535, 65535};
  properties["warpSize"] = 32;
  properties["smCountOrigin"] = 0;  // the full device
  properties["oversizedSharedMemoryPerBlock"] = 0;
  properties["memoryBusWidth"] = gpu.bus_bits;
  return {gpu.name, 90, properties.dump()};
}

}  // namespace

DescribedDevice h100() {
  return hopper({"NVIDIA H100 80GB HBM3", 85017755648, 50 << 20, 2619000, 5120});
}

DescribedDevice h200() {
  return hopper({"NVIDIA H200", 150109945856, 60 << 20, 3201000, 6144});
}

}  // namespace blindspot::tests
