// Spreads the blocks of a launch over up to two operating-system threads, each with fibers of its own.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "fiber_block.h"
#include "program_symbols.h"

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

void work(const Launch& launch, std::uint64_t seed, std::span<const std::uint64_t> done, Progress& progress) {
  const BlockOrder order(launch.blocks(), seed);
  thread_local FiberBlock block;
  DynamicSharedMemory dynamic(launch.dynamic_bytes);
  block.prepare(launch);
  running_thread.dynamic_bytes = dynamic.get();
  const auto& variables = symbols_of(launch.kernel).variables;
  poison(all_shared_variables());
  const std::uint64_t blocks = launch.blocks();
  while (!progress.failed) {
    const std::uint64_t begin = progress.next.fetch_add(blocks_at_once);
    const std::uint64_t end = std::min(blocks, begin + blocks_at_once);
    if (begin >= blocks) break;
    for (std::uint64_t place = begin; place < end && !progress.failed; ++place) {
      const std::uint64_t number = order[place];
      if (std::ranges::binary_search(done, number)) continue;
      dynamic.poison();
      poison(variables);
      const std::string failure = block.run(launch, number, seed);
      if (failure.empty()) continue;
      const std::lock_guard lock(progress.mutex);
      if (progress.failure.empty()) progress.failure = failure;
      progress.failed = true;
    }
  }
  running_thread.dynamic_bytes = nullptr;
}

// The second operating-system thread, which stays, and keeps its fibers.
class Helper {
 public:
  Helper() : thread_([this] { loop(); }) {}
  ~Helper() {
    hand({});
    thread_.join();
  }

  void start(std::function<void()> task) { hand(std::move(task)); }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !busy_; });
  }

 private:
  void hand(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    task_ = std::move(task);
    busy_ = true;
    changed_.notify_all();
  }
  void loop() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return busy_; });
      if (!task_) return;
      lock.unlock();
      task_();
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;
  bool busy_ = false;
  std::thread thread_;
};

}  // namespace

std::string run_on_fibers(const Launch& launch, std::uint64_t seed, unsigned workers,
                          std::span<const std::uint64_t> done) {
  Progress progress;
  const bool share =
      workers > 1 && launch.blocks() > blocks_at_once && launch.blocks() * launch.threads() >= worth_sharing;
  if (!share) {
    work(launch, seed, done, progress);
    return progress.failure;
  }
  static Helper helper;
  helper.start([&] { work(launch, seed, done, progress); });
  work(launch, seed, done, progress);
  helper.wait();
  return progress.failure;
}

}  // namespace cuda_on_host
