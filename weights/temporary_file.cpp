// Implementation of temporary_file.h.
#include "weights/temporary_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>

#include "weights/message.h"

namespace blindspot::weights {

TemporaryFile::TemporaryFile(const std::filesystem::path& destination) : destination_(destination) {
  // Not the number of the process alone: another container's may be the same, and two threads share it.
  std::random_device random;
  const int process = ::getpid();
  do {
    name_ = destination.parent_path() /
            fmt::format(".{}.{}-{:08x}.part", destination.filename().string(), process, random());
    descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) refuse_by_errno();
}

TemporaryFile::~TemporaryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!renamed_) ::unlink(name_.c_str());
}

void TemporaryFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse_by_errno();
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void TemporaryFile::rename() {
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 || std::rename(name_.c_str(), destination_.c_str()) != 0) refuse_by_errno();
  renamed_ = true;
}

void TemporaryFile::refuse_by_errno() const {
  const int reason = errno;
  refuse(printable(destination_.string()),
         fmt::format("cannot be written: {}", reason_of({reason, std::generic_category()})));
}

}  // namespace blindspot::weights
