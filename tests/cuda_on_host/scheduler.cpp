// What both schedulers need: orders, shared memory, and the device functions that lead to the running block. May use
// scheduler.h.
#include "scheduler.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace cuda_on_host {

constinit thread_local RunningThread running_thread{};

namespace {

BlockExecutor& running_block() {
  if (running_thread.block == nullptr) {
    std::fputs("cuda_on_host: a device function was called outside of a kernel\n", stderr);
    std::abort();
  }
  return *running_thread.block;
}

}  // namespace

uint3 place_of_block(std::uint64_t number, const dim3& grid) {
  return {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
          static_cast<unsigned>(number / grid.x / grid.y)};
}

BlockOrder::BlockOrder(std::uint64_t count, std::uint64_t seed)
    : run_length_(count < 64 ? 1 : 8), runs_(count / run_length_) {
  Shuffler shuffler(seed);
  start_ = shuffler.next() % runs_;
  backwards_ = shuffler.next() % 2 == 1;
  do stride_ = 1 + shuffler.next() % runs_;
  while (std::gcd(stride_, runs_) != 1);
}

std::uint64_t BlockOrder::operator[](std::uint64_t place) const {
  if (place >= runs_ * run_length_) return place;
  const std::uint64_t run = (start_ + place / run_length_ * stride_) % runs_, within = place % run_length_;
  return run * run_length_ + (backwards_ ? run_length_ - 1 - within : within);
}

DynamicSharedMemory::DynamicSharedMemory(std::size_t bytes)
    : size_(bytes), bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{16}))) {}

void DynamicSharedMemory::poison() {
  std::memset(bytes_.get(), 0xFF, size_);
}

void warp_collective(std::uint32_t mask, WarpFunction compute, void* operand) {
  running_block().collective(mask, compute, operand);
}
void synchronise_block() {
  running_block().synchronise();
}
void stop_misaligned(const void* place, std::size_t alignment) {
  const auto beyond = reinterpret_cast<std::uintptr_t>(place) % alignment;
  running_block().fail("misaligned address: " + std::to_string(beyond) + " bytes beyond a multiple of the " +
                       std::to_string(alignment) + " that are accessed at once");
  throw BlockAborted{};
}
unsigned lane() {
  return running_thread.lane;
}
void* dynamic_shared_bytes() {
  return running_thread.dynamic_bytes;
}

void compute_nothing(void* const*, std::uint32_t) {}

void compute_shuffle(void* const* operands, std::uint32_t lanes) {
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    auto& operand = *static_cast<ShuffleOperand*>(operands[std::countr_zero(rest)]);
    // What a lane reads from one that takes no part is undefined: all bits set is NaN, or an index far away.
    const bool takes_part = operand.source < warp_size && (lanes >> operand.source & 1U) != 0;
    operand.result = takes_part ? static_cast<ShuffleOperand*>(operands[operand.source])->value : ~std::uint64_t{0};
  }
}

void compute_vote(void* const* operands, std::uint32_t lanes) {
  std::uint32_t ballot = 0;
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    if (static_cast<VoteOperand*>(operands[lane])->predicate) ballot |= 1U << lane;
  }
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    static_cast<VoteOperand*>(operands[std::countr_zero(rest)])->ballot = ballot;
  }
}

}  // namespace cuda_on_host
