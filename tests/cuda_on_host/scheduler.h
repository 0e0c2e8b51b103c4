// What the schedulers of the host execution share: a launch, and the block that the running CUDA thread belongs to. For
// the files of this folder only.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>

namespace cuda_on_host {

inline constexpr unsigned warp_size = 32;

struct Launch {
  dim3 grid, block;
  std::size_t dynamic_bytes = 0;
  const void* kernel = nullptr;  ///< its address, for messages
  std::function<void()> thread;  ///< what each CUDA thread runs

  unsigned threads() const { return block.x * block.y * block.z; }
  std::uint64_t blocks() const { return std::uint64_t{grid.x} * grid.y * grid.z; }
};

/// Both return what went wrong, or nothing. The order of everything follows from the seed. Fibers run every block but
/// those of `done`, which is sorted; threads run the given ones.
std::string run_on_fibers(const Launch& launch, std::uint64_t seed, unsigned workers,
                          std::span<const std::uint64_t> done);
std::string run_on_threads(const Launch& launch, std::uint64_t seed, std::span<const std::uint64_t> blocks);

/// The running block, as its threads see it.
class BlockExecutor {
 public:
  virtual ~BlockExecutor() = default;
  virtual void synchronise() = 0;
  virtual void collective(std::uint32_t mask, WarpFunction compute, void* operand) = 0;
  /// The block cannot go on; the caller then throws BlockAborted.
  virtual void fail(const std::string& reason) = 0;
};

/// What belongs to the CUDA thread that runs on this operating-system thread, beside threadIdx and its kin.
struct RunningThread {
  BlockExecutor* block = nullptr;
  unsigned lane = 0;
  void* dynamic_bytes = nullptr;
};
extern constinit thread_local RunningThread running_thread;

/// Thrown through the threads of a block that cannot go on, so that their stacks unwind.
struct BlockAborted {};

/// Place of a thread within its block, in the order that numbers warps and lanes.
inline uint3 place_of_thread(unsigned number, const dim3& block) {
  return {number % block.x, number / block.x % block.y, number / block.x / block.y};
}
uint3 place_of_block(std::uint64_t number, const dim3& grid);

/// Marsaglia's xorshift: quick, and good enough to shuffle.
class Shuffler {
 public:
  explicit Shuffler(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U | 1U) { next(), next(); }
  std::uint32_t next() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::uint32_t>(state_ >> 16U);
  }

 private:
  std::uint64_t state_;
};

/// A permutation of 0..count-1 drawn from the seed that needs no table. In large grids neighbours stay neighbours
/// within short runs, so that memory is read along, and the last few blocks stay last.
class BlockOrder {
 public:
  BlockOrder(std::uint64_t count, std::uint64_t seed);
  std::uint64_t operator[](std::uint64_t place) const;

 private:
  std::uint64_t run_length_, runs_, start_ = 0, stride_ = 1;
  bool backwards_ = false;
};

/// A block's dynamic shared memory: from the heap and exactly as large as asked for, so that AddressSanitizer fences
/// it.
class DynamicSharedMemory {
 public:
  explicit DynamicSharedMemory(std::size_t bytes);
  void* get() const { return bytes_.get(); }
  /// Overwrites it, so that what a former block left is not mistaken for this block's.
  void poison();

 private:
  struct Release {
    void operator()(std::byte* bytes) const { ::operator delete (bytes, std::align_val_t{16}); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Release> bytes_;
};

}  // namespace cuda_on_host
