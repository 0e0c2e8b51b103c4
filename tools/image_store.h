// Images set aside on disk while a run goes on, so that its memory does not grow with the number of pairs. Uses the
// public headers and POSIX files.
#pragma once

#include <cstddef>
#include <filesystem>

#include "blindspot/image.h"

namespace blindspot::tools {

/// A file without a name, which is gone with its owner or its process. All images have the same size.
class ImageStore {
 public:
  /// In `folder`, which must have room for all of them. Throws Error(input), here and below, naming the folder.
  ImageStore(const std::filesystem::path& folder, int side);
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  ~ImageStore();

  /// Returns the number by which to ask for it: 0, 1, …
  std::size_t add(const Image& image);
  Image read(std::size_t number) const;

 private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path folder_;
  int side_;
  std::size_t image_bytes_;
  int descriptor_ = -1;
  std::size_t count_ = 0;
};

}  // namespace blindspot::tools
