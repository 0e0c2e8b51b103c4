// A file mapped into memory, read only. Uses error.h and the system's mmap.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace blindspot::weights {

class MappedFile {
 public:
  /// Throws Error(input) naming the path if it is missing, no regular file, or cannot be read. An empty file is an
  /// empty span.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Tells the system that the pages are not needed; they come back from the file when touched again.
  void release_pages() const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace blindspot::weights
