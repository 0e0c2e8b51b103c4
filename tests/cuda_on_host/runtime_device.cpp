// The devices, one unless a test asks for more, each of which says that it is a GPU of compute capability 9.0.
#include <cstring>

#include "runtime_state.h"

using cuda_on_host::answer;
using cuda_on_host::state;

namespace {

constexpr int version = 13000;

cudaError_t check_number(int device) {
  return device >= 0 && device < state().controls.devices ? cudaSuccess : cudaErrorInvalidDevice;
}

thread_local int current = 0;

cudaDeviceProp properties_now() {
  cudaDeviceProp properties{};
  constexpr const char name[] = "host execution";
  std::memcpy(properties.name, name, sizeof name);
  properties.totalGlobalMem = state().controls.memory_limit;
  properties.sharedMemPerBlock = std::size_t{48} * 1024;
  properties.sharedMemPerBlockOptin = std::size_t{227} * 1024;
  properties.major = 9;
  properties.multiProcessorCount = 132;
  properties.l2CacheSize = 1 << 16;  // smaller than any, since it is written over for every run that is timed
  properties.warpSize = 32;
  properties.maxThreadsPerBlock = 1024;
  properties.memoryBusWidth = 5120;
  return properties;
}

}  // namespace

int cuda_on_host::current_device() {
  return current;
}

cudaError_t cudaGetDeviceCount(int* count) {
  return answer([&] {
    *count = state().controls.devices;
    return cudaSuccess;
  });
}
cudaError_t cudaSetDevice(int device) {
  return answer([&] {
    const cudaError_t status = check_number(device);
    if (status == cudaSuccess) current = device;
    return status;
  });
}
cudaError_t cudaGetDevice(int* device) {
  return answer([&] {
    *device = current;
    return cudaSuccess;
  });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return answer([&] {
    *properties = properties_now();
    return check_number(device);
  });
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return answer([&] {
    const cudaDeviceProp properties = properties_now();
    switch (attribute) {
      case cudaDevAttrMaxThreadsPerBlock:
        *value = properties.maxThreadsPerBlock;
        break;
      case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = static_cast<int>(properties.sharedMemPerBlock);
        break;
      case cudaDevAttrMultiProcessorCount:
        *value = properties.multiProcessorCount;
        break;
      case cudaDevAttrL2CacheSize:
        *value = properties.l2CacheSize;
        break;
      case cudaDevAttrComputeCapabilityMajor:
        *value = properties.major;
        break;
      case cudaDevAttrComputeCapabilityMinor:
        *value = properties.minor;
        break;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(properties.sharedMemPerBlockOptin);
        break;
      default:
        return cudaErrorInvalidValue;
    }
    return check_number(device);
  });
}
cudaError_t cudaRuntimeGetVersion(int* number) {
  return answer([&] {
    *number = version;
    return cudaSuccess;
  });
}
cudaError_t cudaDriverGetVersion(int* number) {
  return cudaRuntimeGetVersion(number);
}
