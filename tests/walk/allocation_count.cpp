// malloc and its kin, counted and passed on to the next definition in the program's libraries (dlsym); operator new
// ends up in them. What the search itself asks for is served from a small buffer. glibc only.
#include "allocation_count.h"

#include <dlfcn.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace blindspot::tests {
namespace {

std::atomic<std::int64_t> count{0};

// Memory for dlsym itself, never given back.
alignas(std::max_align_t) std::array<std::byte, 65536> early{};
std::atomic<std::size_t> early_used{0};
thread_local bool searching = false;

void* early_memory(std::size_t bytes) {
  const std::size_t rounded = (bytes + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
  const std::size_t at = early_used.fetch_add(rounded);
  return at + rounded <= early.size() ? early.data() + at : nullptr;
}

bool is_early(const void* pointer) {
  return pointer >= early.data() && pointer < early.data() + early.size();
}

template <typename Function>
Function next(const char* name, std::atomic<void*>& known) {
  void* found = known.load();
  if (found == nullptr) {
    searching = true;
    found = dlsym(RTLD_NEXT, name);
    searching = false;
    known.store(found);
  }
  return reinterpret_cast<Function>(found);
}

/// Counts an allocation unless the code at `caller` is oneDNN's.
void count_for(const void* caller) {
  Dl_info where{};
  const bool library = dladdr(caller, &where) != 0 && std::strstr(where.dli_fname, "libdnnl") != nullptr;
  if (!library) ++count;
}

std::atomic<void*> next_malloc, next_calloc, next_realloc, next_free, next_memalign;

void* raw_malloc(std::size_t bytes) {
  return next<void* (*)(std::size_t)>("malloc", next_malloc)(bytes);
}

void* raw_memalign(std::size_t alignment, std::size_t bytes) {
  return next<void* (*)(std::size_t, std::size_t)>("memalign", next_memalign)(alignment, bytes);
}

}  // namespace

std::int64_t allocations() {
  return count.load();
}

}  // namespace blindspot::tests

using namespace blindspot::tests;

extern "C" {

__attribute__((visibility("default"))) void* malloc(std::size_t bytes) noexcept {
  if (searching) return early_memory(bytes);
  count_for(__builtin_return_address(0));
  return raw_malloc(bytes);
}

__attribute__((visibility("default"))) void* calloc(std::size_t number, std::size_t bytes) noexcept {
  if (searching) return early_memory(number * bytes);  // zero from the start
  count_for(__builtin_return_address(0));
  return next<void* (*)(std::size_t, std::size_t)>("calloc", next_calloc)(number, bytes);
}

__attribute__((visibility("default"))) void* realloc(void* pointer, std::size_t bytes) noexcept {
  count_for(__builtin_return_address(0));
  return next<void* (*)(void*, std::size_t)>("realloc", next_realloc)(pointer, bytes);
}

__attribute__((visibility("default"))) void free(void* pointer) noexcept {
  if (pointer == nullptr || is_early(pointer)) return;
  next<void (*)(void*)>("free", next_free)(pointer);
}

__attribute__((visibility("default"))) void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  count_for(__builtin_return_address(0));
  return raw_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  count_for(__builtin_return_address(0));
  return raw_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) int posix_memalign(void** pointer, std::size_t alignment,
                                                          std::size_t bytes) noexcept {
  count_for(__builtin_return_address(0));
  *pointer = raw_memalign(alignment, bytes);
  return *pointer == nullptr ? ENOMEM : 0;
}
}

__attribute__((visibility("default"))) void* operator new(std::size_t bytes) {
  count_for(__builtin_return_address(0));
  void* const memory = raw_malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

__attribute__((visibility("default"))) void* operator new(std::size_t bytes, std::align_val_t alignment) {
  count_for(__builtin_return_address(0));
  void* const memory = raw_memalign(static_cast<std::size_t>(alignment), bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

__attribute__((visibility("default"))) void operator delete(void* memory) noexcept {
  free(memory);
}
__attribute__((visibility("default"))) void operator delete(void* memory, std::size_t) noexcept {
  free(memory);
}
__attribute__((visibility("default"))) void operator delete(void* memory, std::align_val_t) noexcept {
  free(memory);
}
__attribute__((visibility("default"))) void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  free(memory);
}
