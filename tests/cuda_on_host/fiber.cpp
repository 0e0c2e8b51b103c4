// The stacks of fibers, mapped one by one.
#include "fiber.h"

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace cuda_on_host {

namespace {

constexpr std::size_t page = 4096;
#if defined(CUDA_ON_HOST_ADDRESS_SANITIZER) || defined(__SANITIZE_THREAD__)
constexpr std::size_t stack_size = std::size_t{256} * 1024;
#else
constexpr std::size_t stack_size = std::size_t{128} * 1024;
#endif

}  // namespace

Fiber::Fiber(unsigned number, void (*main)(boost::context::detail::transfer_t)) {
  mapping_ =
      mmap(nullptr, page + stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping_, page, PROT_NONE);
  stack = static_cast<std::byte*>(mapping_) + page;
  // Tops at different places within a page, lest all stacks share the same cache sets.
  stack_bytes = stack_size - std::size_t{number % 16} * 192;
  at = boost::context::detail::make_fcontext(static_cast<std::byte*>(stack) + stack_bytes, stack_bytes, main);
}

Fiber::~Fiber() {
  munmap(mapping_, page + stack_size);
}

}  // namespace cuda_on_host
