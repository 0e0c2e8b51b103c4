// Spreads the blocks of a launch over up to two operating-system threads, each with fibers of its own.
#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>

#include "fiber_block.h"

namespace cuda_on_host {

namespace {

// Below this many CUDA threads a second operating-system thread costs more than it saves.
constexpr std::uint64_t worth_sharing = 16384;
constexpr std::uint64_t blocks_at_once = 16;

// What the workers of a launch share.
struct Progress {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::string failure;
};

void work(const Launch& launch, std::uint64_t seed, const BlockOrder& order, Progress& progress) {
  thread_local FiberBlock block;
  DynamicSharedMemory shared(launch.dynamic_bytes);
  block.prepare(launch);
  running_thread.dynamic_bytes = shared.get();
  const std::uint64_t blocks = launch.blocks();
  while (!progress.failed) {
    const std::uint64_t begin = progress.next.fetch_add(blocks_at_once);
    const std::uint64_t end = std::min(blocks, begin + blocks_at_once);
    if (begin >= blocks) break;
    for (std::uint64_t place = begin; place < end && !progress.failed; ++place) {
      shared.poison();
      const std::string failure = block.run(launch, order[place], seed);
      if (failure.empty()) continue;
      const std::lock_guard lock(progress.mutex);
      if (progress.failure.empty()) progress.failure = failure;
      progress.failed = true;
    }
  }
  running_thread.dynamic_bytes = nullptr;
}

}  // namespace

std::string run_on_fibers(const Launch& launch, std::uint64_t seed, unsigned workers) {
  const BlockOrder order(launch.blocks(), seed);
  Progress progress;
  std::future<void> second;
  if (workers > 1 && launch.blocks() > blocks_at_once && launch.blocks() * launch.threads() >= worth_sharing) {
    second = std::async(std::launch::async, [&] { work(launch, seed, order, progress); });
  }
  work(launch, seed, order, progress);
  if (second.valid()) second.wait();
  return progress.failure;
}

}  // namespace cuda_on_host
