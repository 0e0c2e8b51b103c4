// Launches: a kernel and copies of its arguments become a closure that each CUDA thread runs. May use the runtime's
// declarations beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>

#include "cuda_on_host/runtime_api.h"

namespace cuda_on_host {

/// Checks the configuration as a GPU does and enqueues the kernel; `kernel` names it. Not `acceptable`: an argument
/// points where it must not.
cudaError_t launch_kernel(const cudaLaunchConfig_t& configuration, const void* kernel, std::function<void()> thread,
                          bool acceptable);
/// See require_device_pointers().
bool is_acceptable_pointer(const void* pointer);
cudaError_t set_shared_memory_limit(const void* kernel, cudaFuncAttribute attribute, int bytes);

template <class T>
bool is_acceptable_argument(const T& argument) {
  if constexpr (std::is_pointer_v<T>) {
    using Pointee = std::remove_pointer_t<T>;
    if constexpr (!std::is_void_v<Pointee>) {
      if (reinterpret_cast<std::uintptr_t>(argument) % alignof(Pointee) != 0) return false;
    }
    return is_acceptable_pointer(argument);
  }
  return true;
}

template <class... P>
const void* address_of(void (*kernel)(P...)) {
  return reinterpret_cast<const void*>(kernel);
}

}  // namespace cuda_on_host

// NOLINTBEGIN(readability-identifier-naming): the names are CUDA's.

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* configuration, void (*kernel)(P...), A&&... arguments) {
  static_assert((std::is_trivially_copyable_v<P> && ...), "a GPU copies arguments as bytes");
  static_assert((!std::is_reference_v<P> && ...), "a reference would point into host memory");
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of the parameter itself, even where it is a pointer.
  static_assert((sizeof(P) + ... + 0) <= 4096, "a GPU takes no more than 4096 bytes of arguments");
  // By value, as a GPU takes them: the closure may run long after the caller's variables are gone.
  const auto copy = [](std::remove_const_t<P>... values) { return std::tuple<std::remove_const_t<P>...>(values...); };
  const auto values = copy(static_cast<A&&>(arguments)...);
  const bool acceptable = std::apply(
      [](const auto&... value) { return (cuda_on_host::is_acceptable_argument(value) && ... && true); }, values);
  return cuda_on_host::launch_kernel(
      *configuration, cuda_on_host::address_of(kernel), [kernel, values] { std::apply(kernel, values); }, acceptable);
}

template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
  return cuda_on_host::set_shared_memory_limit(cuda_on_host::address_of(kernel), attribute, value);
}

// NOLINTEND(readability-identifier-naming)
