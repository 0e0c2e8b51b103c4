// Fibers: stacks to run CUDA threads on, and switching between them through Boost.Context's jump_fcontext.
// AddressSanitizer is told of every switch by hand, since the library's own build does not. For fiber_block.cpp only.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

#if defined(CUDA_ON_HOST_ADDRESS_SANITIZER)
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_host {

/// A context that can be switched to: a fiber's, or the operating-system thread's own.
struct Context {
  boost::context::detail::fcontext_t at = nullptr;
  void* stack = nullptr;  ///< lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  ///< AddressSanitizer's
};

struct Passage {
  Context* from;
  void* argument;
};

/// After a switch to `here` (null: it starts): notes where the context lies that was left, and returns the argument.
inline void* arrive(boost::context::detail::transfer_t transfer, [[maybe_unused]] Context* here) {
  auto& passage = *static_cast<Passage*>(transfer.data);
#if defined(CUDA_ON_HOST_ADDRESS_SANITIZER)
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

/// Leaves `from` and goes on in `to`; returns when somebody switches to `from`. `argument` reaches a context that
/// starts. Inline, since a processor predicts none of the returns after a switch.
inline void switch_context(Context& from, Context& to, void* argument) {
  Passage passage{&from, argument};
#if defined(CUDA_ON_HOST_ADDRESS_SANITIZER)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
#endif
  arrive(boost::context::detail::jump_fcontext(to.at, &passage), &from);
}

/// A stack with an unreadable page at its low end, and a context that will start in `main`, which must begin with
/// note_start(transfer) and never return.
class Fiber : public Context {
 public:
  explicit Fiber(unsigned number, void (*main)(boost::context::detail::transfer_t));
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

 private:
  void* mapping_ = nullptr;
};

/// What a context does first; returns the argument of the switch.
inline void* note_start(boost::context::detail::transfer_t transfer) {
  return arrive(transfer, nullptr);
}

}  // namespace cuda_on_host
