// What ThreadSanitizer is told: the scheduler's own locks order nothing, and the orders that CUDA promises are named
// one by one. Without ThreadSanitizer all of it is nothing.
#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>

// In ThreadSanitizer's library, but in none of its headers.
extern "C" {
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace cuda_on_host {

/// While one lives, locks create no order and accesses are not watched. They nest.
class Unwatched {
 public:
#if defined(__SANITIZE_THREAD__)
  Unwatched() {
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Unwatched() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  }
#else
  Unwatched() {}  // NOLINT(modernize-use-equals-default): a defaulted one would make an unused variable of it
#endif
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

/// Everything before publish() happened before what follows an observe() of the same order that comes later.
class Order {
 public:
#if defined(__SANITIZE_THREAD__)
  void publish() {
    __tsan_release(&place_);
  }
  void observe() {
    __tsan_acquire(&place_);
  }
#else
  void publish() {}
  void observe() {}
#endif

 private:
  [[maybe_unused]] char place_ = 0;
};

}  // namespace cuda_on_host
