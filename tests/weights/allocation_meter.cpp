// Replaces operator new and delete by metered ones over malloc.
#include "allocation_meter.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::ptrdiff_t> live_bytes{0}, peak_bytes{0}, start_bytes{0};

void count(std::ptrdiff_t bytes) {
  const std::ptrdiff_t live = live_bytes += bytes;
  if (live > peak_bytes) peak_bytes = live;
}

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  count(static_cast<std::ptrdiff_t>(malloc_usable_size(memory)));
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  count(-static_cast<std::ptrdiff_t>(malloc_usable_size(memory)));
  std::free(memory);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
  operator delete(memory);
}

namespace blindspot::tests {

void start_metering_allocations() {
  start_bytes = live_bytes.load();
  peak_bytes = live_bytes.load();
}

std::size_t peak_allocated_bytes() {
  return static_cast<std::size_t>(peak_bytes - start_bytes);
}

}  // namespace blindspot::tests
