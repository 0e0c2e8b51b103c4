// Implementation of image_reading.h.
#include "engine/evaluation/image_reading.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <system_error>

#include "blindspot/error.h"
#include "weights/sha256.h"

namespace blindspot::evaluation {

namespace fs = std::filesystem;

namespace {

struct ReadImage {
  ListedImage image;
  std::string reason;  // why it could not be read; empty: it was
};

std::vector<std::uint8_t> bytes_of(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw Error(ErrorKind::input, "does not exist");
  if (!fs::is_regular_file(path, error)) throw Error(ErrorKind::input, "is not a file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) refuse_short_memory({errno, std::generic_category()});
  // read(), for an iterator lets the exception out with which libstdc++ reports what the disk refuses.
  std::vector<std::uint8_t> bytes;
  std::array<char, 65536> part{};
  while (stream) {
    stream.read(part.data(), part.size());
    bytes.insert(bytes.end(), part.begin(), part.begin() + stream.gcount());
  }
  if (stream.bad() || !stream.eof()) throw Error(ErrorKind::input, "cannot be read");
  return bytes;
}

ReadImage read_one(const FoundImage& found, const std::vector<Preprocessing>& preprocessings) {
  ReadImage read;
  read.image.found = found;
  try {
    const std::vector<std::uint8_t> bytes = bytes_of(found.path);
    weights::Sha256 hash;
    hash.add(std::as_bytes(std::span(bytes)));
    read.image.sha256 = hash.hexadecimal();
    const Picture picture = decode_picture(bytes, found.name);
    for (const Preprocessing& preprocessing : preprocessings) {
      read.image.pictures.push_back(preprocess(picture, preprocessing));
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // no memory: says nothing about the image
    read.reason = error.what();
    const std::string prefix = found.name + ": ";
    if (read.reason.starts_with(prefix)) read.reason.erase(0, prefix.size());
  }
  return read;
}

std::vector<ReadImage> read_together(std::span<const FoundImage> images,
                                     const std::vector<Preprocessing>& preprocessings) {
  std::vector<ReadImage> read(images.size());
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex failing;
  const auto work = [&] {
    for (std::size_t i = next++; i < images.size(); i = next++) {
      try {
        read[i] = read_one(images[i], preprocessings);
      } catch (...) {
        const std::lock_guard lock(failing);
        failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t count = std::min<std::size_t>(std::max(1U, std::thread::hardware_concurrency()), images.size());
    try {
      for (std::size_t i = 1; i < count; ++i) threads.emplace_back(work);
    } catch (const std::exception&) {
      // The system gives no more of them: fewer will do.
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return read;
}

}  // namespace

ImageReading::ImageReading(std::vector<FoundImage> images, std::int64_t limit, std::vector<Preprocessing> sizes)
    : images_(std::move(images)),
      sizes_(std::move(sizes)),
      wanted_(limit > 0 ? static_cast<std::size_t>(limit) : std::numeric_limits<std::size_t>::max()),
      thread_([this] { work(); }) {}

ImageReading::~ImageReading() {
  ending_ = true;
  thread_.join();
}

void ImageReading::work() {
  constexpr std::size_t at_a_time = 64;
  std::exception_ptr failure;
  try {
    for (std::size_t first = 0; first < images_.size() && !ending_; first += at_a_time) {
      if (!read_some(std::span(images_).subspan(first, std::min(at_a_time, images_.size() - first)))) break;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  failure_ = failure;
  ended_ = true;
  changed_.notify_all();
}

bool ImageReading::read_some(std::span<const FoundImage> images) {
  std::vector<ReadImage> together = read_together(images, sizes_);
  const std::lock_guard lock(mutex_);
  for (ReadImage& one : together) {
    if (read_count_ == wanted_) break;
    if (one.reason.empty()) {
      waiting_.push_back(std::move(one.image));
      ++read_count_;
    } else {
      unreadable_.emplace_back(one.image.found.name, one.reason);
    }
  }
  changed_.notify_all();
  return read_count_ < wanted_;
}

std::vector<ListedImage> ImageReading::next(const Cancelled& cancelled) {
  // Whoever cancels is asked by this thread alone.
  constexpr std::chrono::milliseconds patience(100);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, patience, [this] { return ended_ || !waiting_.empty(); })) stop_if(cancelled);
  stop_if(cancelled);
  if (failure_) std::rethrow_exception(failure_);
  return std::exchange(waiting_, {});
}

std::vector<std::pair<std::string, std::string>> ImageReading::unreadable() const {
  std::vector<std::pair<std::string, std::string>> sorted = unreadable_;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace blindspot::evaluation
