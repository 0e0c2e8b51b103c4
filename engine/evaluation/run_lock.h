// One writer at a time for a run database, held by the process and gone with it. Uses POSIX files; sees error.h.
#pragma once

#include <filesystem>

namespace blindspot::evaluation {

class RunLock {
 public:
  /// Makes an empty file where there is none. Throws Error(input) that names the file: another process has it, or it
  /// cannot be written.
  explicit RunLock(const std::filesystem::path& path);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  /// Removes the file if it was made here and is still empty. Comes after SQLite has closed it: closing a file ends
  /// SQLite's own locks on it.
  ~RunLock();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool made_ = false;
};

}  // namespace blindspot::evaluation
