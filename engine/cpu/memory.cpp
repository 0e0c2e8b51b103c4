// Implementation of memory.h. Uses mmap for large pieces, so that they can lie on huge pages and go back to the
// operating system when they are given up.
#include "engine/cpu/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <new>
#include <utility>

namespace blindspot::cpu {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t huge_page = std::size_t{2} << 20U;
constexpr std::size_t large = 2 * huge_page;

std::size_t rounded_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

[[noreturn]] void refuse(std::size_t bytes) {
  throw OutOfMemory(fmt::format("out of memory: no {} bytes left; choose a smaller --batch", bytes));
}

/// Whole pages, zero; large pieces start at a huge page.
std::byte* map_pages(std::size_t bytes) {
  const std::size_t kept = rounded_up(bytes, page);
  const std::size_t mapped = kept + (bytes >= large ? huge_page : 0);
  void* const mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) refuse(bytes);
  auto* const begin = static_cast<std::byte*>(mapping);
  if (bytes < large) return begin;
  const auto address = reinterpret_cast<std::uintptr_t>(mapping);
  const std::size_t before = rounded_up(address, huge_page) - address;
  if (before > 0) munmap(begin, before);
  if (before < huge_page) munmap(begin + before + kept, huge_page - before);
  madvise(begin + before, kept, MADV_HUGEPAGE);  // advice: where it is not taken, small pages do
  return begin + before;
}

void unmap_pages(std::byte* data, std::size_t bytes) noexcept {
  munmap(data, rounded_up(bytes, page));
}

}  // namespace

Memory::Memory(std::size_t bytes) : data_(bytes == 0 ? nullptr : map_pages(bytes)), bytes_(bytes) {}

Memory::Memory(Memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Memory::~Memory() {
  if (data_ != nullptr) unmap_pages(data_, bytes_);
}

std::byte* HostMemory::allocate(std::size_t bytes) {
  if (!fenced_arena && bytes >= large) return map_pages(bytes);
  try {
    return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{cpu::alignment}));
  } catch (const std::bad_alloc&) {
    refuse(bytes);
  }
}

void HostMemory::deallocate(std::byte* data, std::size_t bytes) noexcept {
  if (!fenced_arena && bytes >= large) {
    unmap_pages(data, bytes);
  } else {
    ::operator delete (data, std::align_val_t{cpu::alignment});
  }
}

}  // namespace blindspot::cpu
