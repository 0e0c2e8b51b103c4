// Memory of the CPU device straight from the operating system: for the arena, and for packed weights. May use arena.h.
#pragma once

#include <cstddef>

#include "engine/arena.h"

namespace blindspot::cpu {

/// Every array starts at a multiple of this, and ends at one but in fenced memory.
inline constexpr std::size_t alignment = 64;

/// A piece of memory straight from the operating system (large ones on huge pages where it grants them). Zero at first.
class Memory {
 public:
  Memory() = default;
  /// Throws Error(device) if there is no such memory left.
  explicit Memory(std::size_t bytes);
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// What arena and constants are made of: pages for large pieces, the heap for small ones. Fenced (sanitizer builds),
/// all comes from the heap, where an overrun is seen.
class HostMemory final : public MemorySource {
 public:
  std::size_t alignment() const override { return cpu::alignment; }
  std::byte* allocate(std::size_t bytes) override;
  void deallocate(std::byte* data, std::size_t bytes) noexcept override;
};

}  // namespace blindspot::cpu
