// Implementation of image_store.h.
#include "tools/image_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace blindspot::tools {

namespace {

std::size_t values_of(int side) {
  return std::size_t{3} * static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
}

}  // namespace

ImageStore::ImageStore(const std::filesystem::path& folder, int side)
    : folder_(folder), side_(side), image_bytes_(values_of(side) * sizeof(float)) {
  std::string name = (folder / ".images-XXXXXX").string();
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail("written");
  unlink(name.c_str());
}

ImageStore::~ImageStore() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::size_t ImageStore::add(const Image& image) {
  if (image.values.size() * sizeof(float) != image_bytes_) {
    throw Error(ErrorKind::fault, "an image of another size than those beside it");
  }
  const auto* const bytes = reinterpret_cast<const char*>(image.values.data());
  for (std::size_t done = 0; done < image_bytes_;) {
    const auto at = static_cast<off_t>(count_ * image_bytes_ + done);
    const ssize_t written = pwrite(descriptor_, bytes + done, image_bytes_ - done, at);
    if (written < 0 && errno != EINTR) fail("written");
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return count_++;
}

Image ImageStore::read(std::size_t number) const {
  Image image{side_, side_, std::vector<float>(values_of(side_))};
  auto* const bytes = reinterpret_cast<char*>(image.values.data());
  for (std::size_t done = 0; done < image_bytes_;) {
    const auto at = static_cast<off_t>(number * image_bytes_ + done);
    const ssize_t got = pread(descriptor_, bytes + done, image_bytes_ - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;
    if (got <= 0) fail("read");
    done += static_cast<std::size_t>(got);
  }
  return image;
}

void ImageStore::fail(const char* what) const {
  const int number = errno;
  throw Error(ErrorKind::input, fmt::format("{}: images set aside there cannot be {}: {}", folder_.string(), what,
                                            reason_of({number, std::generic_category()})));
}

}  // namespace blindspot::tools
