// Launches: what a GPU would refuse is refused, what shall fail fails, the rest goes to a scheduler.
#include <algorithm>
#include <cstdio>
#include <set>
#include <thread>
#include <utility>

#include "program_symbols.h"
#include "runtime_state.h"
#include "scheduler.h"

namespace cuda_on_host {

namespace {

// Limits of compute capability 9.0.
constexpr unsigned most_threads = 1024, most_depth = 64, most_rows = 65535;
constexpr std::size_t shared_always = std::size_t{48} * 1024, shared_at_most = std::size_t{227} * 1024;

// Waking operating-system threads costs microseconds each: of a larger launch, blocks of this many threads together get
// them, and the others run on fibers.
constexpr std::uint64_t most_system_threads = 2048;

bool loses_device(cudaError_t error) {
  return error == cudaErrorLaunchFailure || error == cudaErrorIllegalAddress || error == cudaErrorLaunchTimeout ||
         error == cudaErrorECCUncorrectable || error == cudaErrorUnknown;
}

cudaError_t check(const cudaLaunchConfig_t& configuration, const void* kernel) {
  const dim3 grid = configuration.gridDim, block = configuration.blockDim;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (threads == 0 || block.x > most_threads || block.y > most_threads || threads > most_threads ||
      block.z > most_depth) {
    return cudaErrorInvalidConfiguration;
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFFU || grid.y > most_rows || grid.z > most_rows) {
    return cudaErrorInvalidConfiguration;
  }
  const auto& limits = state().shared_memory_limits;
  const auto raised = limits.find(kernel);
  const std::size_t limit =
      std::max(shared_always, raised == limits.end() ? std::size_t{0} : static_cast<std::size_t>(raised->second));
  return configuration.dynamicSmemBytes > limit ? cudaErrorInvalidValue : cudaSuccess;
}

unsigned workers() {
  if (has_thread_scheduler) return 1;  // shared variables exist once
  const unsigned asked = state().controls.workers;
  return std::min(2U, asked != 0 ? asked : std::max(1U, std::thread::hardware_concurrency()));
}

// The first block, the last, which often has the edges, and others as the seed has them; sorted.
std::vector<std::uint64_t> blocks_for_threads(const Launch& launch, std::uint64_t seed) {
  const std::uint64_t blocks = launch.blocks();
  const std::uint64_t wanted = std::min(blocks, std::max(std::uint64_t{2}, most_system_threads / launch.threads()));
  const BlockOrder order(blocks, seed);
  std::set<std::uint64_t> chosen{0, blocks - 1};
  for (std::uint64_t place = 0; chosen.size() < wanted; ++place) chosen.insert(order[place]);
  return {chosen.begin(), chosen.end()};
}

std::string schedule(const Launch& launch) {
  const auto& controls = state().controls;
  if (controls.scheduler == Scheduler::fibers) return run_on_fibers(launch, controls.seed, workers(), {});
  const std::vector<std::uint64_t> watched = blocks_for_threads(launch, controls.seed);
  const std::string failure = run_on_threads(launch, controls.seed, watched);
  return failure.empty() ? run_on_fibers(launch, controls.seed, workers(), watched) : failure;
}

cudaError_t run(const Launch& launch) {
  auto& controls = state().controls;
  ++state().counters.launches;
  cudaError_t status = cudaSuccess;
  if (controls.launches_to_failure > 0 && --controls.launches_to_failure == 0) {
    status = controls.launch_error;
  } else {
    const std::string failure = schedule(launch);
    if (!failure.empty()) {
      std::fprintf(stderr, "cuda_on_host: kernel %s: %s\n", symbols_of(launch.kernel).name.c_str(), failure.c_str());
      status = cudaErrorLaunchFailure;
    }
  }
  if (loses_device(status)) state().lost = status;
  return status;
}

}  // namespace

bool is_acceptable_pointer(const void* pointer) {
  return pointer == nullptr || !state().controls.device_pointers_required || is_device_memory(pointer, 0);
}

cudaError_t launch_kernel(const cudaLaunchConfig_t& configuration, const void* kernel, std::function<void()> thread,
                          bool acceptable) {
  return answer([&] {
    const cudaError_t refused = check(configuration, kernel);
    if (refused != cudaSuccess) return refused;
    if (!acceptable) return state().lost = cudaErrorIllegalAddress;
    return enqueue(configuration.stream,
                   [launch = Launch{configuration.gridDim, configuration.blockDim, configuration.dynamicSmemBytes,
                                    kernel, std::move(thread)}] { return run(launch); });
  });
}

cudaError_t set_shared_memory_limit(const void* kernel, cudaFuncAttribute attribute, int bytes) {
  return answer([&] {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || bytes < 0 ||
        static_cast<std::size_t>(bytes) > shared_at_most) {
      return cudaErrorInvalidValue;
    }
    int& limit = state().shared_memory_limits[kernel];
    if (bytes < limit) ++state().counters.lowered_limits;
    limit = bytes;
    return cudaSuccess;
  });
}

}  // namespace cuda_on_host
