// Controls of the host execution of CUDA for tests, and the door for other host code that stands in for a CUDA library.
// May use the CUDA runtime's header of the host execution.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace cuda_on_host {

/// Runs `work` when the stream gets to it: at once, or at each replay of the graph where the stream is being captured.
/// What `work` returns becomes the stream's status.
cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work);

/// All controls below back to their beginnings, counters to zero, a lost device found again. Memory, streams and graphs
/// stay.
void reset();

/// The n-th cudaMalloc from now (1 is the next) fails with cudaErrorMemoryAllocation; 0: none.
void fail_allocation(std::int64_t nth);
/// The n-th launch from now, replayed ones included, fails with `error`; 0: none. An error that loses the device
/// (cudaErrorLaunchFailure, cudaErrorIllegalAddress, ...) is every later call's answer until reset().
void fail_launch(std::int64_t nth, cudaError_t error);
/// What cudaMemGetInfo reports and cudaMalloc enforces.
void set_memory_limit(std::size_t bytes);

/// Decides the order of blocks, warps and lanes; a right kernel gives the same bits with every seed.
void set_seed(std::uint64_t seed);

/// fibers: every CUDA thread of a block on one operating-system thread, quick. threads: an operating-system thread for
/// each CUDA thread, for ThreadSanitizer, in some blocks of each launch; only where built with
/// BLINDSPOT_THREAD_SANITIZER, and used there by default.
enum class Scheduler : std::uint8_t { fibers, threads };
#if defined(BLINDSPOT_THREAD_SANITIZER)
inline constexpr bool has_thread_scheduler = true;
#else
inline constexpr bool has_thread_scheduler = false;
#endif
/// False where this build has no such scheduler.
bool choose_scheduler(Scheduler scheduler);

/// How many operating-system threads large launches may use with fibers; 0: as many as there are processors, two at
/// most.
void set_workers(unsigned workers);

/// How many devices there are, 1 to begin with. A stream belongs to the device that was current when it was made, and
/// takes work only while that is current.
void set_device_count(int count);
/// The device that was current when cudaMalloc gave this.
int device_of(const void* allocation);

/// While true, a launch with a pointer argument that does not lie in memory from cudaMalloc fails with
/// cudaErrorIllegalAddress, as a GPU would fail where the kernel reads it. Null passes.
void require_device_pointers(bool required);

struct Counters {
  std::int64_t launches = 0;        ///< kernels run, replayed ones included
  std::int64_t allocations = 0;     ///< successful calls of cudaMalloc
  std::size_t allocated_bytes = 0;  ///< now
  std::size_t set_bytes = 0;        ///< written by cudaMemset and cudaMemsetAsync
  /// How often a kernel was given less dynamic shared memory than it had: a launch of another host thread could fail
  /// so.
  std::int64_t lowered_limits = 0;
};
Counters counters();

}  // namespace cuda_on_host
