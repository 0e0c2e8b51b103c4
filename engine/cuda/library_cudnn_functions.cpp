// Implementation of library_cudnn_functions.h. A function that the opened cuDNN lacks answers "not supported". The
// functions of NVRTC at the end are called by an engine of cudnn-frontend's own, which is never asked for.
#include "engine/cuda/library_cudnn_functions.h"

#include <fmt/format.h>
#include <nvrtc.h>

#include <array>

#include "engine/cuda/library_files.h"

namespace blindspot::cuda {

namespace {

struct Cudnn {
  std::optional<OpenLibrary> library;
  std::string reason;
  LibraryFacts facts;
};

/// cuDNN compiles some kernels at run time. It looks for NVRTC by name alone, and NVRTC for its built-in functions,
/// which lie beside it: those of a wheel, or of a toolkit that the loader does not know, must be open by then.
void open_nvrtc() {
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12"}) {
    const std::array<std::string, 1> names{name};
    const LibrarySearch nvrtc = open_library(names);
    if (nvrtc.found) open_beside(*nvrtc.found, "libnvrtc-builtins.so.");
  }
}

Cudnn find_cudnn() {
  open_nvrtc();
  const std::array<std::string, 1> names{"libcudnn.so.9"};
  LibrarySearch search = open_library(names);
  if (!search.found) return {std::nullopt, fmt::format("no cuDNN 9: {}", search.reason), {}};
  auto* version = search.found->function<decltype(cudnnGetVersion)>("cudnnGetVersion");
  auto* cuda_version = search.found->function<decltype(cudnnGetCudartVersion)>("cudnnGetCudartVersion");
  LibraryFacts facts{search.found->path(), version == nullptr ? 0 : version(),
                     cuda_version == nullptr ? 0 : cuda_version()};
  if (std::string reason = why_no_cudnn(facts); !reason.empty()) return {std::nullopt, std::move(reason), {}};
  return {std::move(search.found), {}, std::move(facts)};
}

/// The library, opened at the first call; it stays open as long as the program runs.
const Cudnn& cudnn() {
  static const Cudnn opened = find_cudnn();
  return opened;
}

template <typename Function>
Function* function(const char* name) {
  return cudnn().library ? cudnn().library->function<Function>(name) : nullptr;
}

}  // namespace

std::string open_cudnn() {
  return cudnn().reason;
}

std::string cudnn_version_text() {
  const std::size_t version = cudnn().facts.version;
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

const LibraryFacts& cudnn_facts() {
  return cudnn().facts;
}

}  // namespace blindspot::cuda

using blindspot::cuda::function;

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  static auto* const there = function<decltype(cudnnCreate)>("cudnnCreate");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  static auto* const there = function<decltype(cudnnDestroy)>("cudnnDestroy");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  static auto* const there = function<decltype(cudnnSetStream)>("cudnnSetStream");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle, stream);
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  static auto* const there = function<decltype(cudnnGetStream)>("cudnnGetStream");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle, stream);
}

std::size_t cudnnGetVersion() {
  return blindspot::cuda::cudnn().facts.version;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  static auto* const there = function<decltype(cudnnGetErrorString)>("cudnnGetErrorString");
  return there == nullptr ? "cuDNN is not open" : there(status);
}

void cudnnGetLastErrorString(char* message, std::size_t bytes) {
  static auto* const there = function<decltype(cudnnGetLastErrorString)>("cudnnGetLastErrorString");
  if (there != nullptr) there(message, bytes);
  if (there == nullptr && bytes > 0) message[0] = '\0';
}

cudnnStatus_t cudnnSetCallback(unsigned mask, void* user_data, cudnnCallback_t callback) {
  static auto* const there = function<decltype(cudnnSetCallback)>("cudnnSetCallback");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(mask, user_data, callback);
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  static auto* const there = function<decltype(cudnnBackendCreateDescriptor)>("cudnnBackendCreateDescriptor");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(type, descriptor);
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  static auto* const there = function<decltype(cudnnBackendDestroyDescriptor)>("cudnnBackendDestroyDescriptor");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(descriptor);
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  static auto* const there = function<decltype(cudnnBackendFinalize)>("cudnnBackendFinalize");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(descriptor);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* elements) {
  static auto* const there = function<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(descriptor, name, type, count, elements);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t wanted, std::int64_t* count,
                                       void* elements) {
  static auto* const there = function<decltype(cudnnBackendGetAttribute)>("cudnnBackendGetAttribute");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(descriptor, name, type, wanted, count, elements);
}

#if CUDNN_VERSION >= 92300
cudnnStatus_t cudnnGetExecutionPlanWorkspaceSize(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                                 cudnnBackendDescriptor_t variant_pack, std::size_t* bytes) {
  static auto* const there =
      function<decltype(cudnnGetExecutionPlanWorkspaceSize)>("cudnnGetExecutionPlanWorkspaceSize");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle, plan, variant_pack, bytes);
}
#endif

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t variant_pack) {
  static auto* const there = function<decltype(cudnnBackendExecute)>("cudnnBackendExecute");
  return there == nullptr ? CUDNN_STATUS_NOT_SUPPORTED : there(handle, plan, variant_pack);
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram*, const char*, const char*, int, const char* const*, const char* const*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcDestroyProgram(nvrtcProgram*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcCompileProgram(nvrtcProgram, int, const char* const*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcGetCUBIN(nvrtcProgram, char*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcGetCUBINSize(nvrtcProgram, std::size_t*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcGetProgramLog(nvrtcProgram, char*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}
nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram, std::size_t*) {
  return NVRTC_ERROR_INTERNAL_ERROR;
}

}  // extern "C"
