// A file that is being downloaded: NAME.part, locked against other processes, and NAME.part.json beside it, which says
// what it is a part of. Both stay when the work is interrupted. Sees error.h, stopping.h and weights (files written
// whole).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "blindspot/stopping.h"

namespace blindspot::fetch {

/// What the bytes of a part belong to.
struct PartOrigin {
  std::string address;
  std::string validator;               ///< as If-Range takes it; may be empty
  std::string announced_sha256;        ///< as the host said; may be empty
  std::optional<std::uint64_t> total;  ///< bytes of the whole file

  bool operator==(const PartOrigin&) const = default;
};

/// An open file, closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return value_; }
  void reset(int value = -1);

 private:
  int value_;
};

class PartFile {
 public:
  /// Opens or makes the part and locks it; while another process has it, `waiting` is called once and the lock is asked
  /// for again until `cancelled` says so. Throws Error(input) naming the part, here and below; Stopped.
  PartFile(const std::filesystem::path& path, const std::function<void()>& waiting, const Cancelled& cancelled);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  /// Removes what is empty, keeps what is not.
  ~PartFile();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Nothing if there is none that can be read, or if it does not belong to these bytes.
  std::optional<PartOrigin> origin() const;
  void remember(const PartOrigin& origin) const;
  /// All bytes that are there, in pieces.
  void read(const std::function<void(std::span<const std::byte>)>& sink) const;
  void append(std::span<const std::byte> bytes);
  /// Back to no bytes and no origin.
  void clear();
  /// Removes both files; here and below the part is given up with that, and nothing else is asked of it.
  void remove();
  /// Gives the part another name and removes its origin.
  void rename(const std::filesystem::path& destination);

 private:
  void open();
  bool is_still_named() const;
  [[noreturn]] void refuse_by_errno(const char* what) const;

  std::filesystem::path path_, origin_path_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

/// Bytes that the file system of `path` has left for this user; nothing if it does not say.
std::optional<std::uint64_t> bytes_free(const std::filesystem::path& path);

}  // namespace blindspot::fetch
