// Errors, controls and counters of the host execution.
#include "runtime_state.h"

#include <array>
#include <utility>

namespace cuda_on_host {

namespace {

constinit thread_local cudaError_t last_error = cudaSuccess;

struct ErrorText {
  cudaError_t error;
  const char *name, *text;
};
constexpr std::array error_texts = std::to_array<ErrorText>({
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched", "stream capture was not begun on this stream"},
});

const ErrorText& text_of(cudaError_t error) {
  static constexpr ErrorText unknown{cudaErrorUnknown, "cudaErrorUnknown", "unknown error"};
  for (const ErrorText& text : error_texts) {
    if (text.error == error) return text;
  }
  return unknown;
}

}  // namespace

State& state() {
  static State only;
  return only;
}

cudaError_t answer(const std::function<cudaError_t()>& call) {
  const std::lock_guard lock(state().mutex);
  const cudaError_t status = state().lost != cudaSuccess ? state().lost : call();
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t answer_giving_back(const std::function<cudaError_t()>& call) {
  const std::lock_guard lock(state().mutex);
  const cudaError_t given_back = call();
  const cudaError_t status = state().lost != cudaSuccess ? state().lost : given_back;
  if (status != cudaSuccess) last_error = status;
  return status;
}

void reset() {
  const std::lock_guard lock(state().mutex);
  state().controls = {};
  state().counters = {.allocated_bytes = state().counters.allocated_bytes};
  state().lost = cudaSuccess;
  last_error = cudaSuccess;
}

void fail_allocation(std::int64_t nth) {
  state().controls.allocations_to_failure = nth;
}
void fail_launch(std::int64_t nth, cudaError_t error) {
  state().controls.launches_to_failure = nth;
  state().controls.launch_error = error;
}
void set_memory_limit(std::size_t bytes) {
  state().controls.memory_limit = bytes;
}
void set_seed(std::uint64_t seed) {
  state().controls.seed = seed;
}
void set_workers(unsigned workers) {
  state().controls.workers = workers;
}
void set_device_count(int count) {
  state().controls.devices = count;
}
int device_of(const void* allocation) {
  const std::lock_guard lock(state().mutex);
  return state().devices_of_allocations.at(reinterpret_cast<std::uintptr_t>(allocation));
}
void require_device_pointers(bool required) {
  state().controls.device_pointers_required = required;
}
Counters counters() {
  return state().counters;
}

bool choose_scheduler(Scheduler scheduler) {
  if (scheduler == Scheduler::threads && !has_thread_scheduler) return false;
  state().controls.scheduler = scheduler;
  return true;
}

}  // namespace cuda_on_host

using cuda_on_host::state;

const char* cudaGetErrorName(cudaError_t error) {
  return cuda_on_host::text_of(error).name;
}
const char* cudaGetErrorString(cudaError_t error) {
  return cuda_on_host::text_of(error).text;
}
cudaError_t cudaPeekAtLastError() {
  return cuda_on_host::last_error;
}
cudaError_t cudaGetLastError() {
  // An error that lost the device stays.
  return std::exchange(cuda_on_host::last_error, state().lost);
}
