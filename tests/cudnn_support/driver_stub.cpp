// A libcuda.so.1 that has no device, for asking cuDNN on a machine without a driver. Engines that are compiled at run
// time look these functions up before they answer, cuDNN from 9.23 or so when it is loaded; none that touches a device
// is called. Never for a machine with a driver.

namespace {

constexpr int success = 0, no_device = 100;
constexpr int cuda_version = 13000;

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default"))) int

EXPORTED cuInit(unsigned) {
  return no_device;
}
EXPORTED cuDriverGetVersion(int* version) {
  *version = cuda_version;
  return success;
}
EXPORTED cuDeviceGetCount(int* count) {
  *count = 0;
  return success;
}
EXPORTED cuGetErrorName(int, const char** text) {
  *text = "CUDA_ERROR_NO_DEVICE";
  return success;
}
EXPORTED cuGetErrorString(int, const char** text) {
  *text = "this driver is a stub without a device";
  return success;
}

#define NEVER_CALLED(name) \
  EXPORTED name() {        \
    return no_device;      \
  }

NEVER_CALLED(cuCtxGetCurrent)
NEVER_CALLED(cuCtxGetLimit)
NEVER_CALLED(cuCtxPopCurrent)
NEVER_CALLED(cuCtxPushCurrent)
NEVER_CALLED(cuDeviceGet)
NEVER_CALLED(cuKernelGetAttribute)
NEVER_CALLED(cuKernelGetFunction)
NEVER_CALLED(cuKernelSetAttribute)
NEVER_CALLED(cuLaunchCooperativeKernel)
NEVER_CALLED(cuLaunchKernel)
NEVER_CALLED(cuLaunchKernelEx)
NEVER_CALLED(cuLibraryGetKernel)
NEVER_CALLED(cuLibraryLoadData)
NEVER_CALLED(cuLibraryLoadFromFile)
NEVER_CALLED(cuLibraryUnload)
NEVER_CALLED(cuLinkAddData)
NEVER_CALLED(cuLinkAddData_v2)
NEVER_CALLED(cuLinkComplete)
NEVER_CALLED(cuLinkCreate)
NEVER_CALLED(cuLinkCreate_v2)
NEVER_CALLED(cuLinkDestroy)
NEVER_CALLED(cuModuleGetFunction)
NEVER_CALLED(cuModuleLoadData)
NEVER_CALLED(cuModuleUnload)
NEVER_CALLED(cuOccupancyMaxPotentialClusterSize)
NEVER_CALLED(cuStreamGetCtx)
NEVER_CALLED(cuTensorMapEncodeIm2col)
NEVER_CALLED(cuTensorMapEncodeTiled)
