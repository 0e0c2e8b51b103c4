// One block on operating-system threads. A function that ThreadSanitizer should not look into begins with Unwatched;
// the orders that CUDA promises are published and observed outside of it.
#include "thread_block.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace cuda_on_host {

namespace {

constinit thread_local unsigned my_number = 0;

}  // namespace

ThreadBlock::~ThreadBlock() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    for (const auto& member : members_) member->may_run.release();
  }
  for (const auto& member : members_) member->thread.join();
}

std::string ThreadBlock::run(const Launch& launch, std::uint64_t block, std::uint64_t seed, void* dynamic_bytes) {
  start_.publish();
  {
    const Unwatched unwatched;
    std::unique_lock lock(mutex_);
    launch_ = &launch;
    block_ = place_of_block(block, launch.grid);
    dynamic_bytes_ = dynamic_bytes;
    alive_ = launch.threads();
    waiting_ = in_barrier_ = 0;
    aborted_ = false;
    failure_.clear();
    at_barrier_.assign(alive_, false);
    for (unsigned warp = 0; warp * warp_size < alive_; ++warp) {
      const unsigned lanes = std::min(warp_size, alive_ - warp * warp_size);
      warps_[warp].alive = lanes == warp_size ? ~0U : (1U << lanes) - 1;
      warps_[warp].gatherings.clear();
    }
    for (auto number = static_cast<unsigned>(members_.size()); number < alive_; ++number) {
      members_.push_back(std::make_unique<Member>());
      Member& member = *members_.back();
      member.thread = std::thread([this, number, &member] { thread_main(number, member); });
    }
    // The system decides when each runs; the order in which they wake at least varies with the seed.
    const BlockOrder order(alive_, seed + block);
    const unsigned threads = alive_;
    for (unsigned place = 0; place < threads; ++place) wake(static_cast<unsigned>(order[place]));
    block_ended_.wait(lock, [this] { return alive_ == 0; });
  }
  end_.observe();
  return failure_;
}

void ThreadBlock::thread_main(unsigned number, Member& me) {
  my_number = number;
  running_thread = {this, number % warp_size, nullptr};
  for (;;) {
    {
      const Unwatched unwatched;
      me.may_run.acquire();
      if (leaving_) return;
    }
    run_thread(number);
    const Unwatched unwatched;
    const std::lock_guard lock(mutex_);
    me.running = false;
    exit_thread(number);
  }
}

void ThreadBlock::run_thread(unsigned number) {
  start_.observe();
  const Launch* launch = nullptr;
  {
    const Unwatched unwatched;
    launch = launch_;
    running_thread.dynamic_bytes = dynamic_bytes_;
    threadIdx = place_of_thread(number, launch->block);
    blockIdx = block_;
    blockDim = launch->block;
    gridDim = launch->grid;
  }
  try {
    launch->thread();
  } catch (const BlockAborted&) {
  }
  end_.publish();
}

void ThreadBlock::exit_thread(unsigned number) {
  Warp& warp = warps_[number / warp_size];
  warp.alive &= ~(1U << (number % warp_size));
  if (--alive_ == 0) return block_ended_.notify_one();
  if (aborted_) return;
  while (!warp.gatherings.empty()) {
    const std::uint32_t lanes = warp.gatherings.complete_any(warp.alive);
    if (lanes == 0) break;
    note_meeting(number / warp_size, lanes);
    wake_lanes(number / warp_size, lanes, most_threads);
  }
  if (in_barrier_ == alive_) release_barrier();
  if (waiting_ == alive_) abort_block("deadlock: the threads that are left wait, and not for the same");
}

void ThreadBlock::wake(unsigned number) {
  Member& member = *members_[number];
  member.running = true;
  member.may_run.release();
}

void ThreadBlock::wake_lanes(unsigned warp, std::uint32_t lanes, unsigned except) {
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const unsigned number = warp * warp_size + static_cast<unsigned>(std::countr_zero(rest));
    if (number == except) continue;
    --waiting_;
    wake(number);
  }
}

// Comes with the lock, and goes without: sleeps until somebody wakes this thread.
void ThreadBlock::wait(std::unique_lock<std::mutex>& lock, unsigned number) {
  Member& me = *members_[number];
  me.running = false;
  ++waiting_;
  if (waiting_ == alive_) abort_block("deadlock: the threads that are left wait, and not for the same");
  lock.unlock();
  me.may_run.acquire();
}

void ThreadBlock::synchronise() {
  const unsigned number = my_number;
  unsigned generation = 0;
  {
    const Unwatched unwatched;
    const std::lock_guard lock(mutex_);
    generation = barrier_generation_;
  }
  // Two in turn: nobody comes to the barrier after next before everybody has left this one.
  Order& order = barrier_[generation % 2];
  order.publish();
  bool aborted = false;
  {
    const Unwatched unwatched;
    std::unique_lock lock(mutex_);
    if (!aborted_) {
      at_barrier_[number] = true;
      if (++in_barrier_ == alive_) {
        at_barrier_[number] = false;
        release_barrier();
      } else {
        wait(lock, number);
      }
    }
    aborted = aborted_;
  }
  if (aborted) throw BlockAborted{};
  order.observe();
}

void ThreadBlock::release_barrier() {
  in_barrier_ = 0;
  ++barrier_generation_;
  for (unsigned number = 0; number < at_barrier_.size(); ++number) {
    if (!at_barrier_[number]) continue;
    at_barrier_[number] = false;
    --waiting_;
    wake(number);
  }
}

void ThreadBlock::note_meeting(unsigned warp, std::uint32_t lanes) {
  std::uint32_t arrivals = 0;
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(rest));
    arrivals |= (members_[warp * warp_size + lane]->arrival % 2) << lane;
  }
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    Member& member = *members_[warp * warp_size + static_cast<unsigned>(std::countr_zero(rest))];
    member.met = lanes;
    member.met_arrivals = arrivals;
  }
}

// What each lane did before the __syncwarp is ordered before what this thread does from here.
void ThreadBlock::observe_meeting(unsigned number) {
  const Member& me = *members_[number];
  for (std::uint32_t rest = me.met; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(rest));
    members_[number / warp_size * warp_size + lane]->arrivals[me.met_arrivals >> lane & 1U].observe();
  }
}

void ThreadBlock::collective(std::uint32_t mask, WarpFunction compute, void* operand) {
  const unsigned number = my_number, lane = number % warp_size, warp_number = number / warp_size;
  const bool orders = compute == compute_nothing;
  if (orders) {
    Member& me = *members_[number];
    me.arrivals[++me.arrival % 2].publish();
  }
  bool aborted = false;
  {
    const Unwatched unwatched;
    std::unique_lock lock(mutex_);
    Warp& warp = warps_[warp_number];
    if ((mask >> lane & 1U) == 0) abort_block("a lane called a warp collective with a mask that lacks it");
    if (!aborted_) {
      const std::uint32_t all = warp.gatherings.come(lane, mask, warp.alive, compute, operand);
      if (all != 0) {
        note_meeting(warp_number, all);
        wake_lanes(warp_number, all, number);
      } else {
        wait(lock, number);
      }
    }
    aborted = aborted_;
  }
  if (aborted) throw BlockAborted{};
  if (orders) observe_meeting(number);
}

void ThreadBlock::fail(const std::string& reason) {
  const Unwatched unwatched;
  const std::lock_guard lock(mutex_);
  abort_block(reason);
}

void ThreadBlock::abort_block(const std::string& reason) {
  if (failure_.empty()) failure_ = reason;
  aborted_ = true;
  waiting_ = 0;
  for (unsigned number = 0; number < at_barrier_.size(); ++number) {
    if (!members_[number]->running && (warps_[number / warp_size].alive >> (number % warp_size) & 1U) != 0)
      wake(number);
  }
}

std::string run_on_threads(const Launch& launch, std::uint64_t seed, std::span<const std::uint64_t> blocks) {
  static ThreadBlock executor;
  DynamicSharedMemory shared(launch.dynamic_bytes);
  for (const std::uint64_t block : blocks) {
    shared.poison();
    std::string failure = executor.run(launch, block, seed, shared.get());
    if (!failure.empty()) return failure;
  }
  return {};
}

}  // namespace cuda_on_host
