// Implementation of failing_allocation.h: all forms of operator new and delete. Every block has room in front of it for
// whether it counts, since who gives it back need not be who asked for it.
#include "tests/c_interface/failing_allocation.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace blindspot::c_interface_tests {
namespace {

constexpr std::size_t least_alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

std::atomic<bool> armed{false};
std::atomic<std::int64_t> failing_number{0};
std::atomic<std::int64_t> counted{0};
std::atomic<std::int64_t> alive{0};

bool is_excepted(const void* caller) {
  Dl_info where{};
  if (dladdr(caller, &where) == 0 || where.dli_fname == nullptr) return false;
  return std::strstr(where.dli_fname, "libdnnl") != nullptr || std::strstr(where.dli_fname, "libgomp") != nullptr;
}

/// What stands in the byte before the block.
enum class Owner : unsigned char { library, program };

void* allocate(std::size_t bytes, std::size_t alignment, const void* caller) {
  const Owner owner = is_excepted(caller) ? Owner::library : Owner::program;
  if (owner == Owner::program && armed && ++counted == failing_number) throw std::bad_alloc();
  const std::size_t room = std::max(alignment, least_alignment);
  if (bytes > PTRDIFF_MAX - 2 * room) throw std::bad_alloc();
  const std::size_t whole = (bytes + 2 * room - 1) / room * room;
  auto* const block = static_cast<unsigned char*>(std::aligned_alloc(room, whole));
  if (block == nullptr) throw std::bad_alloc();
  if (owner == Owner::program) ++alive;
  block[room - 1] = static_cast<unsigned char>(owner);
  return block + room;
}

void* allocate_or_null(std::size_t bytes, std::size_t alignment, const void* caller) noexcept {
  try {
    return allocate(bytes, alignment, caller);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void give_back(void* pointer, std::size_t alignment) noexcept {
  if (pointer == nullptr) return;
  auto* const bytes = static_cast<unsigned char*>(pointer);
  if (bytes[-1] == static_cast<unsigned char>(Owner::program)) --alive;
  std::free(bytes - std::max(alignment, least_alignment));
}

}  // namespace

FailingAllocation::FailingAllocation(std::int64_t number) {
  counted = 0;
  failing_number = number;
  armed = true;
}

FailingAllocation::~FailingAllocation() {
  armed = false;
}

std::int64_t FailingAllocation::count() const {
  return counted;
}

std::int64_t allocations_alive() {
  return alive;
}

}  // namespace blindspot::c_interface_tests

using blindspot::c_interface_tests::allocate;
using blindspot::c_interface_tests::allocate_or_null;
using blindspot::c_interface_tests::give_back;
using blindspot::c_interface_tests::least_alignment;

#define VISIBLE __attribute__((visibility("default")))

VISIBLE void* operator new(std::size_t bytes) {
  return allocate(bytes, least_alignment, __builtin_return_address(0));
}
VISIBLE void* operator new[](std::size_t bytes) {
  return allocate(bytes, least_alignment, __builtin_return_address(0));
}
VISIBLE void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
VISIBLE void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
VISIBLE void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes, least_alignment, __builtin_return_address(0));
}
VISIBLE void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes, least_alignment, __builtin_return_address(0));
}
VISIBLE void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
VISIBLE void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate_or_null(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}

VISIBLE void operator delete(void* pointer) noexcept {
  give_back(pointer, least_alignment);
}
VISIBLE void operator delete[](void* pointer) noexcept {
  give_back(pointer, least_alignment);
}
VISIBLE void operator delete(void* pointer, std::size_t) noexcept {
  give_back(pointer, least_alignment);
}
VISIBLE void operator delete[](void* pointer, std::size_t) noexcept {
  give_back(pointer, least_alignment);
}
VISIBLE void operator delete(void* pointer, std::align_val_t alignment) noexcept {
  give_back(pointer, static_cast<std::size_t>(alignment));
}
VISIBLE void operator delete[](void* pointer, std::align_val_t alignment) noexcept {
  give_back(pointer, static_cast<std::size_t>(alignment));
}
VISIBLE void operator delete(void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  give_back(pointer, static_cast<std::size_t>(alignment));
}
VISIBLE void operator delete[](void* pointer, std::size_t, std::align_val_t alignment) noexcept {
  give_back(pointer, static_cast<std::size_t>(alignment));
}
