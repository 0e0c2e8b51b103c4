// A library for LD_PRELOAD that makes one call of the program fail: the N-th allocation since main() began, or the N-th
// read, write, rename, … of a file whose path contains a given text. Nothing but the C library (glibc) is used; what to
// do comes from the environment:
//   BLINDSPOT_FAULT_CALL    allocate, or a function below: read (pread too), write (pwrite and writev too), close,
//                           rename, truncate, sync, map (anonymous memory), thread (pthread_create)
//   BLINDSPOT_FAULT_PATH    only calls on files whose path contains this; not for allocate, map and thread
//   BLINDSPOT_FAULT_EXCEPT  libraries loaded at the start ("libdnnl libcrypto") whose own allocations never fail
//   BLINDSPOT_FAULT_NUMBER  which of them fails, from 1; none: they are counted only
//   BLINDSPOT_FAULT_LENGTH  how many fail from there on (1); 0: all
//   BLINDSPOT_FAULT_AS      the number of errno, "short" (one byte less than asked for is done), "end" (of the file) or
//                           "slow" (a rename, after 30 ms)
//   BLINDSPOT_FAULT_REPORT  a file that gets "failed" at once, and "count N" when main() returns; before it, where
//                           allocations are only counted, "new N" for the first from each place: the innermost 8 calls
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

struct Plan {
  const char* call = nullptr;
  const char* path = nullptr;
  const char* except = nullptr;
  const char* report = nullptr;
  const char* as = "";
  long number = 0;
  long length = 1;
  bool active = false;
};

Plan plan;
bool allocations_fail = false;
std::atomic<long> count{0};

long number_of(const char* name, long otherwise) {
  const char* const text = getenv(name);
  return text == nullptr ? otherwise : atol(text);
}

/// Without the heap, which may be what fails.
void report(const char* line) {
  if (plan.report == nullptr) return;
  const int file = open(plan.report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  static auto* const next = reinterpret_cast<ssize_t (*)(int, const void*, std::size_t)>(dlsym(RTLD_NEXT, "write"));
  next(file, line, strlen(line));
  close(file);
}

/// Counts a call that matches the plan; whether it is the one to fail.
bool falls_on_this_one() {
  const long mine = ++count;
  if (plan.number == 0 || mine < plan.number || (plan.length != 0 && mine >= plan.number + plan.length)) return false;
  if (mine == plan.number) {
    const int kept = errno;
    report("failed\n");
    errno = kept;
  }
  return true;
}

bool is_planned(const char* call) {
  return plan.active && strcmp(plan.call, call) == 0;
}

bool is_path(const char* path) {
  return plan.path == nullptr || strstr(path, plan.path) != nullptr;
}

bool is_file(int descriptor) {
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return false;
  path[size] = '\0';
  return is_path(path);
}

bool fails(const char* call, int descriptor) {
  return is_planned(call) && is_file(descriptor) && falls_on_this_one();
}

bool is_short() {
  return strcmp(plan.as, "short") == 0;
}

/// What a failed call returns, with errno set.
int failure() {
  if (strcmp(plan.as, "end") == 0) return 0;
  errno = atoi(plan.as);
  return -1;
}

/// The calls that lead here, as one number: the same in every run, wherever the libraries lie.
std::uint64_t place() {
  constexpr int depth = 10;  // the first two are functions of this file
  void* calls[depth];
  const int found = backtrace(calls, depth);
  std::uint64_t hash = 14695981039346656037U;
  for (int i = 2; i < found; ++i) hash = (hash ^ reinterpret_cast<std::uintptr_t>(calls[i])) * 1099511628211U;
  return hash | 1;
}

void report_new_place() {
  constexpr std::size_t slots = 1 << 16;
  static std::array<std::uint64_t, slots> known{};
  static thread_local bool inside = false;  // the unwinder's own first allocations
  if (inside) return;
  inside = true;
  const std::uint64_t here = place();
  std::size_t at = here % slots;
  while (known[at] != 0 && known[at] != here) at = (at + 1) % slots;
  if (known[at] == 0) {
    known[at] = here;
    char line[64];
    snprintf(line, sizeof line, "new %ld\n", count.load());
    report(line);
  }
  inside = false;
}

/// Where the code of some libraries lies.
struct CodeRanges {
  struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
  };
  const char* names = nullptr;  // separated by blanks, up to their first dots
  std::array<Range, 16> ranges{};
  std::size_t count = 0;

  bool contain(const void* place) const {
    const auto address = reinterpret_cast<std::uintptr_t>(place);
    for (const Range& range : ranges) {
      if (address >= range.begin && address < range.end) return true;
    }
    return false;
  }
};
CodeRanges excepted;
CodeRanges passing_on{"libc ld-linux-x86-64 libfaults"};  // what asks for memory on behalf of others

bool is_named(const char* library, const char* names) {
  if (names == nullptr) return false;
  const char* const slash = strrchr(library, '/');
  const char* const name = slash == nullptr ? library : slash + 1;
  const std::size_t length = strcspn(name, ".");
  for (const char* word = names; *word != '\0'; word += strspn(word, " ")) {
    const std::size_t letters = strcspn(word, " ");
    if (letters == length && strncmp(word, name, length) == 0) return true;
    word += letters;
  }
  return false;
}

int find_code(dl_phdr_info* library, std::size_t /*size*/, void* found) {
  auto& code = *static_cast<CodeRanges*>(found);
  if (!is_named(library->dlpi_name, code.names)) return 0;
  for (int i = 0; i < library->dlpi_phnum && code.count < code.ranges.size(); ++i) {
    const auto& segment = library->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const std::uintptr_t begin = library->dlpi_addr + segment.p_vaddr;
    code.ranges[code.count++] = {begin, begin + segment.p_memsz};
  }
  return 0;
}

/// Whether an excepted library asks, if need be through the C library (fopen, strdup).
bool is_excepted(const void* caller) {
  if (!passing_on.contain(caller)) return excepted.contain(caller);
  static thread_local bool inside = false;  // the unwinder's own first allocations
  if (inside) return true;
  inside = true;
  constexpr int depth = 16;
  void* calls[depth];
  const int found = backtrace(calls, depth);
  inside = false;
  int at = 0;
  while (at < found && passing_on.contain(calls[at])) ++at;
  return at < found && excepted.contain(calls[at]);
}

bool allocation_fails(const void* caller) {
  if (!allocations_fail || is_excepted(caller)) return false;
  const bool failed = falls_on_this_one();
  if (plan.number == 0 && plan.report != nullptr) report_new_place();
  if (failed) errno = ENOMEM;
  return failed;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// A macro alone can name a function in its own type: the next definition of it, found once.
#define NEXT(name)                                            \
  ([] {                                                       \
    static auto* const found = next<decltype(::name)>(#name); \
    return found;                                             \
  }())

/// As operator new ends where there is no memory.
[[noreturn]] void* no_room() {
  if (const std::new_handler handler = std::get_new_handler()) handler();
  throw std::bad_alloc();
}

void* room_for(std::size_t bytes) {
  void* const memory = NEXT(malloc)(bytes);
  return memory == nullptr ? no_room() : memory;
}

int (*program)(int, char**, char**) = nullptr;

/// Allocations count from here on, and no longer when the program has returned.
int counted_main(int arguments, char** words, char** environment) {
  plan.call = getenv("BLINDSPOT_FAULT_CALL");
  plan.path = getenv("BLINDSPOT_FAULT_PATH");
  plan.except = getenv("BLINDSPOT_FAULT_EXCEPT");
  plan.report = getenv("BLINDSPOT_FAULT_REPORT");
  if (const char* const as = getenv("BLINDSPOT_FAULT_AS")) plan.as = as;
  plan.number = number_of("BLINDSPOT_FAULT_NUMBER", 0);
  plan.length = number_of("BLINDSPOT_FAULT_LENGTH", 1);
  plan.active = plan.call != nullptr;
  excepted.names = plan.except;
  dl_iterate_phdr(find_code, &excepted);
  dl_iterate_phdr(find_code, &passing_on);
  allocations_fail = is_planned("allocate");
  const int code = program(arguments, words, environment);
  plan.active = allocations_fail = false;
  char line[64];
  snprintf(line, sizeof line, "count %ld\n", count.load());
  report(line);
  return code;
}

}  // namespace

#define VISIBLE extern "C" __attribute__((visibility("default")))

// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): glibc's name
VISIBLE int __libc_start_main(int (*main)(int, char**, char**), int arguments, char** words, void (*begin)(),
                              void (*end)(), void (*loader_end)(), void* stack) {
  using Start = int(int (*)(int, char**, char**), int, char**, void (*)(), void (*)(), void (*)(), void*);
  program = main;
  return next<Start>("__libc_start_main")(counted_main, arguments, words, begin, end, loader_end, stack);
}

VISIBLE void* malloc(std::size_t bytes) noexcept {
  return allocation_fails(__builtin_return_address(0)) ? nullptr : NEXT(malloc)(bytes);
}
VISIBLE void* calloc(std::size_t number, std::size_t bytes) noexcept {
  return allocation_fails(__builtin_return_address(0)) ? nullptr : NEXT(calloc)(number, bytes);
}
VISIBLE void* realloc(void* pointer, std::size_t bytes) noexcept {
  return allocation_fails(__builtin_return_address(0)) ? nullptr : NEXT(realloc)(pointer, bytes);
}
VISIBLE void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  return allocation_fails(__builtin_return_address(0)) ? nullptr : NEXT(memalign)(alignment, bytes);
}
VISIBLE void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return allocation_fails(__builtin_return_address(0)) ? nullptr : NEXT(memalign)(alignment, bytes);
}
VISIBLE int posix_memalign(void** pointer, std::size_t alignment, std::size_t bytes) noexcept {
  if (allocation_fails(__builtin_return_address(0))) return ENOMEM;
  void* const memory = NEXT(memalign)(alignment, bytes);
  if (memory == nullptr) return ENOMEM;
  *pointer = memory;
  return 0;
}

// Replaced as well, so that the caller is the one who asks and not the C++ library.
__attribute__((visibility("default"))) void* operator new(std::size_t bytes) {
  return allocation_fails(__builtin_return_address(0)) ? no_room() : room_for(bytes);
}
__attribute__((visibility("default"))) void* operator new[](std::size_t bytes) {
  return allocation_fails(__builtin_return_address(0)) ? no_room() : room_for(bytes);
}

VISIBLE void* mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  if (file < 0 && is_planned("map") && falls_on_this_one()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return NEXT(mmap)(address, bytes, protection, flags, file, offset);
}

VISIBLE int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                           void* argument) noexcept {
  if (is_planned("thread") && falls_on_this_one()) return EAGAIN;
  return NEXT(pthread_create)(thread, attributes, start, argument);
}

VISIBLE ssize_t read(int file, void* bytes, std::size_t size) {
  if (fails("read", file)) {
    if (!is_short()) return failure();
    size -= size > 1 ? 1 : 0;
  }
  return NEXT(read)(file, bytes, size);
}
VISIBLE ssize_t pread(int file, void* bytes, std::size_t size, off_t offset) {
  if (fails("read", file)) {
    if (!is_short()) return failure();
    size -= size > 1 ? 1 : 0;
  }
  return NEXT(pread)(file, bytes, size, offset);
}
VISIBLE ssize_t pread64(int file, void* bytes, std::size_t size, off64_t offset) {
  return pread(file, bytes, size, offset);
}

VISIBLE ssize_t write(int file, const void* bytes, std::size_t size) {
  if (fails("write", file)) {
    if (!is_short()) return failure();
    size -= size > 1 ? 1 : 0;
  }
  return NEXT(write)(file, bytes, size);
}
VISIBLE ssize_t writev(int file, const iovec* parts, int number) {
  if (fails("write", file)) {
    if (!is_short()) return failure();
    if (number > 0) return NEXT(write)(file, parts[0].iov_base, parts[0].iov_len);
  }
  return NEXT(writev)(file, parts, number);
}
VISIBLE ssize_t pwrite(int file, const void* bytes, std::size_t size, off_t offset) {
  if (fails("write", file)) {
    if (!is_short()) return failure();
    size -= size > 1 ? 1 : 0;
  }
  return NEXT(pwrite)(file, bytes, size, offset);
}
VISIBLE ssize_t pwrite64(int file, const void* bytes, std::size_t size, off64_t offset) {
  return pwrite(file, bytes, size, offset);
}

VISIBLE int close(int file) {
  const bool failed = fails("close", file);
  const int result = NEXT(close)(file);  // a descriptor whose close fails is gone nevertheless
  return failed ? failure() : result;
}
VISIBLE int rename(const char* from, const char* to) noexcept {
  if (is_planned("rename") && (is_path(from) || is_path(to)) && falls_on_this_one()) {
    if (strcmp(plan.as, "slow") != 0) return failure();
    usleep(30000);
  }
  return NEXT(rename)(from, to);
}
VISIBLE int ftruncate(int file, off_t size) noexcept {
  return fails("truncate", file) ? failure() : NEXT(ftruncate)(file, size);
}
VISIBLE int ftruncate64(int file, off64_t size) noexcept {
  return ftruncate(file, size);
}
VISIBLE int fsync(int file) {
  return fails("sync", file) ? failure() : NEXT(fsync)(file);
}
VISIBLE int fdatasync(int file) {
  return fails("sync", file) ? failure() : NEXT(fdatasync)(file);
}
