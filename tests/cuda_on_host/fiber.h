// Fibers: stacks to run CUDA threads on, and switching between them. For fiber_block.cpp only; may use Boost.Context.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

namespace cuda_on_host {

/// A context that can be switched to: a fiber's, or the operating-system thread's own.
struct Context {
  boost::context::detail::fcontext_t at = nullptr;
  void* stack = nullptr;  ///< lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  ///< AddressSanitizer's
};

/// Leaves `from` and goes on in `to`; returns when somebody switches to `from`. `argument` reaches a context that
/// starts.
void switch_context(Context& from, Context& to, void* argument);

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
void* note_start(boost::context::detail::transfer_t transfer);

}  // namespace cuda_on_host
