// Implementation of text_output.h.
#include "tools/text_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace blindspot::tools {

IgnoredPipes::IgnoredPipes() {
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignored, &previous_);
}

IgnoredPipes::~IgnoredPipes() {
  sigaction(SIGPIPE, &previous_, nullptr);
}

void IgnoredPipes::end() const {
  sigaction(SIGPIPE, &previous_, nullptr);
  std::raise(SIGPIPE);
}

std::error_code try_to_write_text(const std::filesystem::path& path, std::string_view text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int reason = descriptor < 0 ? errno : 0;
  while (reason == 0 && !text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR) reason = errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (descriptor >= 0 && ::close(descriptor) != 0 && reason == 0) reason = errno;
  return {reason, std::generic_category()};
}

}  // namespace blindspot::tools
