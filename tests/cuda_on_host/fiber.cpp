// Switching between fibers through Boost.Context's jump_fcontext. AddressSanitizer is told of every switch by hand,
// since the library's own build does not.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_host {

namespace {

constexpr std::size_t page = 4096;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t stack_size = 256 * 1024;
#else
constexpr std::size_t stack_size = 128 * 1024;
#endif

struct Passage {
  Context* from;
  void* argument;
};

// After a switch: notes where the context lies that was left.
void* arrive(boost::context::detail::transfer_t transfer, [[maybe_unused]] Context* here) {
  auto& passage = *static_cast<Passage*>(transfer.data);
#if defined(__SANITIZE_ADDRESS__)
  const void* left_stack = nullptr;
  std::size_t left_bytes = 0;
  __sanitizer_finish_switch_fiber(here == nullptr ? nullptr : here->fake_stack, &left_stack, &left_bytes);
  // The operating-system thread's own stack becomes known here.
  if (passage.from->stack == nullptr) {
    passage.from->stack = const_cast<void*>(left_stack);
    passage.from->stack_bytes = left_bytes;
  }
#endif
  passage.from->at = transfer.fctx;
  return passage.argument;
}

}  // namespace

void switch_context(Context& from, Context& to, void* argument) {
  Passage passage{&from, argument};
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
#endif
  arrive(boost::context::detail::jump_fcontext(to.at, &passage), &from);
}

void* note_start(boost::context::detail::transfer_t transfer) {
  return arrive(transfer, nullptr);
}

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
