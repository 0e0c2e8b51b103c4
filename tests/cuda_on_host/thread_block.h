// Runs the blocks of a launch one after another with one operating-system thread for each CUDA thread. May use
// scheduler.h.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "scheduler.h"
#include "thread_order.h"
#include "warp_gatherings.h"

namespace cuda_on_host {

/// Keeps its threads from launch to launch. All state is under one mutex, which ThreadSanitizer does not see: to it,
/// only block starts and ends, __syncthreads and __syncwarp order anything, as CUDA promises.
class ThreadBlock final : public BlockExecutor {
 public:
  ~ThreadBlock() override;

  /// Runs one block; returns what went wrong, or nothing.
  std::string run(const Launch& launch, std::uint64_t block, std::uint64_t seed, void* dynamic_bytes);

  void synchronise() override;
  void collective(std::uint32_t mask, WarpFunction compute, void* operand) override;
  void fail(const std::string& reason) override;

 private:
  static constexpr unsigned most_threads = 1024;

  // A CUDA thread and the operating-system thread behind it.
  struct Member {
    std::binary_semaphore may_run{0};
    bool running = false;
    // For __syncwarp, two in turn: what the thread did before it came, and whom it met, with which of their two.
    std::array<Order, 2> arrivals;
    unsigned arrival = 0;
    std::uint32_t met = 0, met_arrivals = 0;
    std::thread thread;
  };
  struct Warp {
    std::uint32_t alive = 0;
    WarpGatherings gatherings;
  };

  void thread_main(unsigned number, Member& me);
  void run_thread(unsigned number);
  void exit_thread(unsigned number);
  void wake(unsigned number);
  void wake_lanes(unsigned warp, std::uint32_t lanes, unsigned except);
  void wait(std::unique_lock<std::mutex>& lock, unsigned number);
  void release_barrier();
  void abort_block(const std::string& reason);
  void note_meeting(unsigned warp, std::uint32_t lanes);
  void observe_meeting(unsigned number);

  std::mutex mutex_;
  std::condition_variable block_ended_;
  std::vector<std::unique_ptr<Member>> members_;
  std::array<Warp, most_threads / warp_size> warps_;
  std::vector<bool> at_barrier_;
  const Launch* launch_ = nullptr;
  uint3 block_{};
  void* dynamic_bytes_ = nullptr;
  unsigned alive_ = 0, waiting_ = 0, in_barrier_ = 0, barrier_generation_ = 0;
  std::atomic<bool> aborted_{false}, leaving_{false};
  std::string failure_;
  Order start_, end_;
  std::array<Order, 2> barrier_;
};

}  // namespace cuda_on_host
