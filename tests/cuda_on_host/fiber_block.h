// Runs the blocks of a launch on fibers of one operating-system thread. May use fiber.h and scheduler.h.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "scheduler.h"
#include "warp_gatherings.h"

namespace cuda_on_host {

/// Belongs to one operating-system thread, and keeps its fibers from launch to launch. A CUDA thread starts on the
/// fiber whose thread has just finished, so threads that never wait cost one call each.
class FiberBlock final : public BlockExecutor {
 public:
  ~FiberBlock() override;

  /// Before the first block of a launch.
  void prepare(const Launch& launch);
  /// Runs one block; returns what went wrong, or nothing.
  std::string run(const Launch& launch, std::uint64_t block, std::uint64_t seed);

  void synchronise() override;
  void collective(std::uint32_t mask, WarpFunction compute, void* operand) override;
  void fail(const std::string& reason) override;

 private:
  static constexpr unsigned most_threads = 1024, nobody = most_threads;

  struct Warp {
    std::uint32_t alive = 0, unstarted = 0, ready = 0, at_barrier = 0;
    WarpGatherings gatherings;
  };

  static void fiber_main(boost::context::detail::transfer_t transfer);
  void run_threads(Fiber& fiber);
  unsigned pick();
  void enter(unsigned thread);
  Fiber& fiber_for(unsigned thread);
  [[gnu::always_inline]] inline void wait();
  void exit_thread();
  void release_barrier();
  void set_ready(unsigned warp, std::uint32_t lanes);
  std::string describe_waiting() const;

  const Launch* launch_ = nullptr;
  std::vector<uint3> places_;  // of each thread in the block
  dim3 places_of_ = dim3(0, 0, 0);
  Shuffler shuffler_{0};
  std::array<Warp, most_threads / warp_size> warps_;
  std::uint32_t runnable_warps_ = 0;
  unsigned warp_count_ = 0, warp_ = 0, rotation_ = 0, running_ = nobody;
  unsigned alive_ = 0, at_barrier_ = 0;
  bool aborted_ = false;
  std::string failure_;

  Context scheduler_;  // the operating-system thread's own
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::array<Fiber*, most_threads> fiber_of_{};
};

}  // namespace cuda_on_host
