// Memory of a device: one arena for everything that comes and goes, whose size a rehearsal finds, and memory for
// constants. Places are chosen by a rule, so the same calls get the same places. May use device.h only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/device.h"

namespace blindspot {

#ifdef BLINDSPOT_FENCED_ARENA
inline constexpr bool fenced_arena = true;
#else
inline constexpr bool fenced_arena = false;
#endif

/// Where real memory comes from: the operating system, or a GPU.
class MemorySource {
 public:
  /// Every piece starts at a multiple of this.
  virtual std::size_t alignment() const = 0;
  /// Throws Error(device) if there is no such memory left. `bytes` > 0.
  virtual std::byte* allocate(std::size_t bytes) = 0;
  /// `bytes` as given to allocate.
  virtual void deallocate(std::byte* data, std::size_t bytes) noexcept = 0;

 protected:
  ~MemorySource() = default;
};

/// Places blocks in a line of bytes that begins at 0 and has no end: the smallest hole that is large enough, of equals
/// the first, else after the last block. Tells how far blocks ever reached.
class Placement {
 public:
  /// Takes room for the book-keeping of many blocks, so that `place` and `remove` need none later.
  explicit Placement(std::size_t first = 0);

  std::size_t place(std::size_t bytes);
  void remove(std::size_t begin, std::size_t bytes) noexcept;
  std::size_t end() const { return end_; }
  std::size_t peak() const { return peak_; }

 private:
  struct Hole {
    std::size_t begin = 0, end = 0;
  };
  std::vector<Hole> holes_;  // in order, never touching each other or end_
  std::size_t end_ = 0;      // of the last block
  std::size_t peak_ = 0;
};

/// The source of a device's arrays. Until `commit` each array is an allocation of its own; afterwards all lie in one
/// piece of memory. Compiled with BLINDSPOT_FENCED_ARENA (sanitizer builds, in which memory is the host's) there are
/// gaps between them, and AddressSanitizer reports who touches those, or an array that is gone; a new array is filled
/// with set bits.
class Arena final : public ArraySource {
 public:
  /// Every array starts at a multiple of the source's alignment, and ends at one but in fenced memory.
  explicit Arena(MemorySource& source);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  /// Throws Error(fault) if a committed arena is too small for what is asked of it.
  Array take(Type type, Shape shape);
  void release(std::byte* data, std::size_t bytes) noexcept override;

  bool rehearsing() const { return rehearsing_; }
  /// Device::rehearse: in it, arrays have addresses that cannot be touched.
  std::size_t rehearse(const std::function<void()>& calls);
  /// Device::commit. Throws Error(fault) while an array is alive, Error(device) if there is no such memory.
  void commit(std::size_t bytes);

  /// Whether the same calls get the same addresses as long as the same arrays are alive, and may be made without taking
  /// arrays again (where none is taken, a fenced arena's memory is forbidden).
  bool repeats() const;
  /// Stands for the real arrays alive now and where they lie; equal only for the same arrays.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  /// Bytes that an array takes up in the arena.
  std::size_t padded(std::size_t bytes) const;
  /// Those that may be touched.
  std::size_t own_bytes(std::size_t bytes) const;
  std::byte* take_real(std::size_t bytes);
  void free_committed() noexcept;
  std::uintptr_t rehearsal_base() const;

  MemorySource& source_;
  std::size_t alignment_;
  std::byte* memory_ = nullptr;  // of the committed arena
  std::size_t memory_bytes_ = 0;
  std::size_t committed_bytes_ = 0;
  bool committed_ = false;
  Placement placement_;            // of the committed arena
  std::size_t alive_bytes_ = 0;    // in real arrays
  std::uint64_t fingerprint_ = 0;  // of real arrays
  bool rehearsing_ = false;
  std::uintptr_t rehearsals_ = 0;  // each has addresses of its own
  Placement rehearsed_;
};

/// Memory of arrays that live as long as their owner wants, outside the arena.
class ConstantMemory final : public ArraySource {
 public:
  explicit ConstantMemory(MemorySource& source) : source_(source) {}

  Array take(Type type, Shape shape);
  void release(std::byte* data, std::size_t bytes) noexcept override;

 private:
  std::size_t padded(std::size_t bytes) const;

  MemorySource& source_;
};

/// Bytes that hold the mask of `count` elements: element i (row-major over the whole array) is bit i mod 8 of byte i/8.
/// A mask's memory is padded to the source's alignment, so whole words may be written at its end.
std::size_t mask_bytes(std::int64_t count);
/// Bytes of an array of this type and shape.
std::size_t array_bytes(Type type, const Shape& shape);

}  // namespace blindspot
