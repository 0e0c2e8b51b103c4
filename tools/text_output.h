// Text to stdout and to files with every error seen, the reader who has gone among them. Uses POSIX files and signals.
#pragma once

#include <csignal>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace blindspot::tools {

/// Whoever read stdout has closed it: nothing to report, and nobody to read on. Thrown by print().
class ReaderGone {};

/// While one lives SIGPIPE is ignored: a reader who has gone shows in what is written, and nothing stays behind half
/// done.
class IgnoredPipes {
 public:
  IgnoredPipes();
  IgnoredPipes(const IgnoredPipes&) = delete;
  IgnoredPipes& operator=(const IgnoredPipes&) = delete;
  ~IgnoredPipes();
  /// Ends the process as SIGPIPE would have, silently and so that the shell sees why; returns where it was ignored
  /// before.
  void end() const;

 private:
  struct sigaction previous_ {};
};

/// The whole text into a file, new or emptied. The reason if it cannot be written.
std::error_code try_to_write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace blindspot::tools
