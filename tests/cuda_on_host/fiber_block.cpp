// One block on fibers: which thread goes on next, barriers, collectives, and what happens when nobody can go on.
#include "fiber_block.h"

#include <bit>

namespace cuda_on_host {

namespace {

// The first set bit from `rotation` on, going round.
unsigned first_bit(std::uint32_t bits, unsigned rotation) {
  return (static_cast<unsigned>(std::countr_zero(std::rotr(bits, static_cast<int>(rotation)))) + rotation) % warp_size;
}

}  // namespace

FiberBlock::~FiberBlock() = default;

void FiberBlock::prepare(const Launch& launch) {
  launch_ = &launch;
  gridDim = launch.grid;
  blockDim = launch.block;
  if (places_of_.x == launch.block.x && places_of_.y == launch.block.y && places_of_.z == launch.block.z) return;
  places_of_ = launch.block;
  places_.resize(launch.threads());
  for (unsigned thread = 0; thread < launch.threads(); ++thread)
    places_[thread] = place_of_thread(thread, launch.block);
}

std::string FiberBlock::run(const Launch& launch, std::uint64_t block, std::uint64_t seed) {
  blockIdx = place_of_block(block, launch.grid);
  shuffler_ = Shuffler(seed + block * 0x632BE59BD9B4E019U);
  alive_ = launch.threads();
  at_barrier_ = 0;
  aborted_ = false;
  failure_.clear();
  warp_count_ = (alive_ + warp_size - 1) / warp_size;
  runnable_warps_ = 0;
  for (unsigned warp = 0; warp < warp_count_; ++warp) {
    const unsigned lanes = std::min(warp_size, alive_ - warp * warp_size);
    Warp& state = warps_[warp];
    state.alive = state.unstarted = lanes == warp_size ? ~0U : (1U << lanes) - 1;
    state.ready = state.at_barrier = 0;
    state.gatherings.clear();
    runnable_warps_ |= 1U << warp;
  }
  warp_ = warp_count_ - 1;
  running_thread.block = this;
  const unsigned first = pick();
  Fiber& fiber = fiber_for(first);
  enter(first);
  switch_context(scheduler_, fiber, this);
  // Back here: all have finished, or those left wait for what will never come.
  while (alive_ != 0) {
    fail(describe_waiting());
    const unsigned next = pick();
    Fiber& waiting = fiber_for(next);
    enter(next);
    switch_context(scheduler_, waiting, this);
  }
  running_thread.block = nullptr;
  return failure_;
}

void FiberBlock::fiber_main(boost::context::detail::transfer_t transfer) {
  auto& block = *static_cast<FiberBlock*>(note_start(transfer));
  block.run_threads(*block.fiber_of_[block.running_]);
}

// Runs thread after thread for as long as there are some that start; a fiber without work is idle until fiber_for takes
// it.
void FiberBlock::run_threads(Fiber& fiber) {
  for (;;) {
    try {
      launch_->thread();
    } catch (const BlockAborted&) {
    }
    exit_thread();
    const unsigned next = pick();
    if (next != nobody && (warps_[next / warp_size].unstarted >> (next % warp_size) & 1U) != 0) {
      fiber_of_[next] = &fiber;
      enter(next);
      continue;
    }
    idle_.push_back(&fiber);
    if (next == nobody) {
      switch_context(fiber, scheduler_, this);
    } else {
      Fiber& to = *fiber_of_[next];
      enter(next);
      switch_context(fiber, to, this);
    }
  }
}

// A thread that can go on, or nobody: the running warp's first, then another warp's.
unsigned FiberBlock::pick() {
  if (runnable_warps_ == 0) return nobody;
  if ((runnable_warps_ >> warp_ & 1U) == 0) {
    const std::uint32_t random = shuffler_.next();
    warp_ = first_bit(runnable_warps_, random % warp_size);
    rotation_ = random / warp_size % warp_size;
  }
  const Warp& warp = warps_[warp_];
  return warp_ * warp_size + first_bit(warp.unstarted | warp.ready, rotation_);
}

// From here on `thread` is the one that runs.
void FiberBlock::enter(unsigned thread) {
  const unsigned lane = thread % warp_size;
  Warp& warp = warps_[thread / warp_size];
  warp.unstarted &= ~(1U << lane);
  warp.ready &= ~(1U << lane);
  if ((warp.unstarted | warp.ready) == 0) runnable_warps_ &= ~(1U << (thread / warp_size));
  running_ = thread;
  running_thread.lane = lane;
  threadIdx = places_[thread];
}

// The fiber that `thread` waits on, or one to start it on.
Fiber& FiberBlock::fiber_for(unsigned thread) {
  if ((warps_[thread / warp_size].unstarted >> (thread % warp_size) & 1U) == 0) return *fiber_of_[thread];
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(static_cast<unsigned>(fibers_.size()), fiber_main));
    idle_.push_back(fibers_.back().get());
  }
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  fiber_of_[thread] = fiber;
  return *fiber;
}

// The running thread cannot go on before somebody makes it ready.
void FiberBlock::wait() {
  Fiber& here = *fiber_of_[running_];
  const unsigned me = running_, next = pick();
  if (next == nobody) {
    switch_context(here, scheduler_, this);
  } else if (next == me) {
    enter(me);
  } else {
    Fiber& to = fiber_for(next);
    enter(next);
    switch_context(here, to, this);
  }
  if (aborted_) throw BlockAborted{};
}

void FiberBlock::set_ready(unsigned warp, std::uint32_t lanes) {
  warps_[warp].ready |= lanes;
  runnable_warps_ |= 1U << warp;
}

void FiberBlock::synchronise() {
  if (aborted_) throw BlockAborted{};
  warps_[running_ / warp_size].at_barrier |= 1U << (running_ % warp_size);
  ++at_barrier_;
  if (at_barrier_ == alive_) release_barrier();
  wait();
}

void FiberBlock::release_barrier() {
  at_barrier_ = 0;
  for (unsigned warp = 0; warp < warp_count_; ++warp) {
    if (warps_[warp].at_barrier != 0) set_ready(warp, warps_[warp].at_barrier);
    warps_[warp].at_barrier = 0;
  }
  // Whoever came last does not have to go on first.
  warp_ = shuffler_.next() % warp_count_;
}

void FiberBlock::collective(std::uint32_t mask, WarpFunction compute, void* operand) {
  if (aborted_) throw BlockAborted{};
  const unsigned number = running_ / warp_size, lane = running_ % warp_size;
  Warp& warp = warps_[number];
  if ((mask >> lane & 1U) == 0) {
    fail("a lane called a warp collective with a mask that lacks it");
    throw BlockAborted{};
  }
  const std::uint32_t all = warp.gatherings.come(lane, mask, warp.alive, compute, operand);
  if (all == 0) return wait();
  const std::uint32_t others = all & ~(1U << lane);
  if (others != 0) set_ready(number, others);
}

void FiberBlock::exit_thread() {
  const unsigned number = running_ / warp_size;
  Warp& warp = warps_[number];
  warp.alive &= ~(1U << (running_ % warp_size));
  --alive_;
  if (aborted_) return;
  while (!warp.gatherings.empty()) {
    const std::uint32_t lanes = warp.gatherings.complete_any(warp.alive);
    if (lanes == 0) break;
    set_ready(number, lanes);
  }
  if (alive_ != 0 && at_barrier_ == alive_) release_barrier();
}

// Everybody who waits gets to throw BlockAborted; who has not started never will.
void FiberBlock::fail(const std::string& reason) {
  if (failure_.empty()) failure_ = reason;
  aborted_ = true;
  runnable_warps_ = 0;
  for (unsigned number = 0; number < warp_count_; ++number) {
    Warp& warp = warps_[number];
    alive_ -= static_cast<unsigned>(std::popcount(warp.unstarted));
    warp.alive &= ~warp.unstarted;
    warp.unstarted = warp.at_barrier = 0;
    warp.gatherings.clear();
    std::uint32_t waiting = warp.alive;
    if (number == running_ / warp_size && running_ != nobody) waiting &= ~(1U << (running_ % warp_size));
    warp.ready = 0;
    if (waiting != 0) set_ready(number, waiting);
  }
}

std::string FiberBlock::describe_waiting() const {
  unsigned in_barrier = 0, in_collective = 0;
  for (unsigned number = 0; number < warp_count_; ++number) {
    in_barrier += static_cast<unsigned>(std::popcount(warps_[number].at_barrier));
    in_collective += static_cast<unsigned>(std::popcount(warps_[number].alive & ~warps_[number].at_barrier));
  }
  return "deadlock: " + std::to_string(in_barrier) + " threads wait in __syncthreads and " +
         std::to_string(in_collective) + " in a warp collective, forever";
}

}  // namespace cuda_on_host
