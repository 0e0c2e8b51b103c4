// Reading the images of an evaluation, in the background and on all cores, ahead of whoever takes them. Sees
// image_list.h, images and weights (SHA-256).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "engine/evaluation/image_list.h"

namespace blindspot::evaluation {

/// An image that was read.
struct ListedImage {
  FoundImage found;
  std::string sha256;             ///< of the file
  std::vector<Picture> pictures;  ///< by preprocessing, 8 bits; as long as what was asked for
};

class ImageReading {
 public:
  /// Begins to read, until `limit` (0: no limit) are there that can be read, and brings each to every one of the sizes.
  ImageReading(std::vector<FoundImage> images, std::int64_t limit, std::vector<Preprocessing> sizes);
  ImageReading(const ImageReading&) = delete;
  ImageReading& operator=(const ImageReading&) = delete;
  /// Leaves unread what is not read yet.
  ~ImageReading();

  /// Those read since the last call, in the order given; waits for some. Empty: there are no more. Throws what reading
  /// has thrown, and Stopped.
  std::vector<ListedImage> next(const Cancelled& cancelled);
  /// Name and reason, by name. To be asked when `next` has come to the end.
  std::vector<std::pair<std::string, std::string>> unreadable() const;

 private:
  void work();
  /// False when there are enough.
  bool read_some(std::span<const FoundImage> images);

  const std::vector<FoundImage> images_;
  const std::vector<Preprocessing> sizes_;
  const std::size_t wanted_;
  std::size_t read_count_ = 0;  // the thread's own
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ListedImage> waiting_;
  std::vector<std::pair<std::string, std::string>> unreadable_;
  bool ended_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace blindspot::evaluation
