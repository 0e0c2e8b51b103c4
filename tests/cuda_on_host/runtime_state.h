// The state of the devices that the host execution has; what one has lost, all have. For the files of this folder only.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "host_execution.h"

namespace cuda_on_host {

using Work = std::function<cudaError_t()>;

struct Controls {
  std::int64_t allocations_to_failure = 0, launches_to_failure = 0;
  cudaError_t launch_error = cudaErrorLaunchFailure;
  std::size_t memory_limit = std::size_t{16} << 30U;
  std::uint64_t seed = 0;
  Scheduler scheduler = has_thread_scheduler ? Scheduler::threads : Scheduler::fibers;
  unsigned workers = 0;
  int devices = 1;
  bool device_pointers_required = false;
};

struct State {
  std::recursive_mutex mutex;
  Controls controls;
  Counters counters;
  cudaError_t lost = cudaSuccess;  ///< sticky: every call's answer once the device is lost
  std::map<std::uintptr_t, std::size_t> allocations, host_allocations;
  std::map<std::uintptr_t, int> devices_of_allocations;
  std::map<const void*, int> shared_memory_limits;
  std::vector<cudaStream_t> captures;  ///< streams that are being captured
};
State& state();

/// Runs `call` under the state's lock unless the device is lost; its status becomes the calling thread's last error.
cudaError_t answer(const std::function<cudaError_t()>& call);
/// The same for calls that give something back: a lost device's answer too is that it is lost, but nothing leaks.
cudaError_t answer_giving_back(const std::function<cudaError_t()>& call);
/// Refuses with cudaErrorStreamCaptureUnsupported, and spoils the captures, where a capture forbids a call that
/// synchronises or allocates.
cudaError_t refuse_in_capture();
/// The calling thread's: cudaSetDevice.
int current_device();
bool is_device_memory(const void* pointer, std::size_t bytes);

}  // namespace cuda_on_host
