// A file written whole or not at all: to a temporary name beside the destination, renamed over it in the end. Uses
// error.h and POSIX files, so that every error is seen.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace blindspot::weights {

/// Stands beside the destination and is gone again unless it was renamed.
class TemporaryFile {
 public:
  /// Throws Error(input) naming the destination, here and below, if it cannot be written.
  explicit TemporaryFile(const std::filesystem::path& destination);
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  void write(std::span<const std::byte> bytes);
  /// Gives the file its name; nothing is written after that.
  void rename();

 private:
  [[noreturn]] void refuse_by_errno() const;

  std::filesystem::path destination_;
  std::string name_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace blindspot::weights
