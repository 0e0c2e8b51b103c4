// Implementation of run_lock.h.
#include "engine/evaluation/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "blindspot/error.h"

namespace blindspot::evaluation {

namespace {

bool is_still_named(int descriptor, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& path) : path_(path) {
  const auto refuse = [&path](const std::string& what) {
    throw Error(ErrorKind::input, fmt::format("{}: {}", path.string(), what));
  };
  std::error_code ignored;
  for (;;) {
    made_ = !std::filesystem::exists(path, ignored);
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) refuse(fmt::format("cannot be written: {}", reason_of({errno, std::generic_category()})));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      ::close(descriptor_);
      if (reason == EWOULDBLOCK) {
        refuse("another process works on it; wait for its end, or give each a --shard and a file of its own");
      }
      refuse(fmt::format("cannot be locked: {}", reason_of({reason, std::generic_category()})));
    }
    // The one before may have removed, as empty, what was opened here.
    if (is_still_named(descriptor_, path)) return;
    ::close(descriptor_);
  }
}

RunLock::~RunLock() {
  std::error_code ignored;
  if (made_ && std::filesystem::file_size(path_, ignored) == 0) std::filesystem::remove(path_, ignored);
  ::close(descriptor_);
}

}  // namespace blindspot::evaluation
