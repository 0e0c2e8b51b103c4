// Implementation of fuzz_target.h. Counts allocations through the address sanitizer's hooks, where it is linked in.
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>

extern "C" {
// Of the sanitizers' allocator_interface.h; absent in the build that measures coverage.
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*,
                                                                                      std::size_t),
                                                                    void (*freed)(const volatile void*));
__attribute__((weak)) std::size_t __sanitizer_get_allocated_size(const volatile void* memory);
}

namespace blindspot::fuzz {
namespace {

constexpr std::ptrdiff_t beyond_input = std::ptrdiff_t{64} << 20;
// Of the processor: on a busy machine the clock on the wall says nothing. Whoever never ends is left to the fuzzer.
constexpr std::clock_t longest = std::clock_t{5} * CLOCKS_PER_SEC;

[[noreturn]] void fail(const char* what, const char* detail) {
  std::fprintf(stderr, "fuzz target: %s: %s\n", what, detail);
  std::abort();
}

/// Bytes allocated and not yet freed, and the most there may be. Hooks reach nothing but static storage.
struct Meter {
  bool running = false;
  std::ptrdiff_t live = 0, most = 0;
};

Meter& meter() {
  static Meter one;
  return one;
}

void count_allocation(const volatile void* /*memory*/, std::size_t size) {
  Meter& counted = meter();
  if (!counted.running) return;
  counted.live += static_cast<std::ptrdiff_t>(size);
  if (counted.live <= counted.most) return;
  counted.running = false;
  fail("memory", "more is allocated than the input's size and 64 MiB");
}

void count_release(const volatile void* memory) {
  Meter& counted = meter();
  if (!counted.running || memory == nullptr) return;
  counted.live -= static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(memory));
}

bool install_hooks() {
  return __sanitizer_install_malloc_and_free_hooks != nullptr && __sanitizer_get_allocated_size != nullptr &&
         __sanitizer_install_malloc_and_free_hooks(count_allocation, count_release) != 0;
}

class Metered {
 public:
  explicit Metered(std::size_t size) {
    static const bool installed = install_hooks();
    meter() = {installed, 0, static_cast<std::ptrdiff_t>(size) + beyond_input};
  }
  Metered(const Metered&) = delete;
  Metered& operator=(const Metered&) = delete;
  ~Metered() { meter().running = false; }
};

bool run_metered(std::size_t size, const std::function<void()>& read, ErrorKind kind) {
  try {
    const Metered metered(size);
    read();
    return true;
  } catch (const Error& error) {
    const std::string message = error.what();
    if (error.kind() != kind) fail("a refusal of another kind", message.c_str());
    if (message.empty() || message.find('\n') != std::string::npos)
      fail("a refusal that is not one line", message.c_str());
  } catch (const std::exception& error) {
    fail("an exception that is no refusal", error.what());
  }
  return false;
}

}  // namespace

bool run_bounded(std::size_t size, const std::function<void()>& read, ErrorKind kind) {
  const std::clock_t begin = std::clock();
  const bool taken = run_metered(size, read, kind);
  if (std::clock() - begin > longest) fail("time", "more than 5 seconds of the processor");
  return taken;
}

}  // namespace blindspot::fuzz
