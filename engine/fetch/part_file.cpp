// Implementation of part_file.h. Uses POSIX files, so that every error is seen, and nlohmann-json for the origin.
#include "engine/fetch/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <vector>

#include "blindspot/error.h"
#include "weights/temporary_file.h"

namespace blindspot::fetch {

namespace {

using nlohmann::json;

constexpr std::size_t longest_origin = 1 << 14;
constexpr std::size_t piece = 1 << 20;

std::string text_of(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

void Descriptor::reset(int value) {
  if (value_ >= 0) ::close(value_);
  value_ = value;
}

PartFile::PartFile(const std::filesystem::path& path, const std::function<void()>& waiting, const Cancelled& cancelled)
    : path_(path), origin_path_(path.string() + ".json") {
  bool said = false;
  for (;;) {
    open();
    if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) == 0) {
      // The one before may have removed or renamed what was opened here.
      if (is_still_named()) break;
    } else if (errno != EWOULDBLOCK) {
      refuse_by_errno("cannot be locked");
    } else if (!said) {
      said = true;
      waiting();
    }
    descriptor_.reset();
    stop_if(cancelled);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  struct stat status {};
  if (::fstat(descriptor_.get(), &status) != 0) refuse_by_errno("cannot be read");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

PartFile::~PartFile() {
  // Only what is still locked: after remove and rename the name may belong to another process.
  if (descriptor_.get() < 0 || size_ != 0) return;
  ::unlink(origin_path_.c_str());
  ::unlink(path_.c_str());
}

void PartFile::open() {
  descriptor_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (descriptor_.get() < 0) refuse_by_errno("cannot be written");
}

bool PartFile::is_still_named() const {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor_.get(), &opened) == 0 && ::stat(path_.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::optional<PartOrigin> PartFile::origin() const {
  std::ifstream stream(origin_path_, std::ios::binary);
  std::string text(longest_origin, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  PartOrigin origin{text_of(document, "address"), text_of(document, "validator"), text_of(document, "announced_sha256"),
                    std::nullopt};
  const auto total = document.find("total");
  if (total != document.end() && total->is_number_unsigned()) origin.total = total->get<std::uint64_t>();
  if (origin.address.empty() || (origin.total && *origin.total < size_)) return std::nullopt;
  return origin;
}

void PartFile::remember(const PartOrigin& origin) const {
  json document = json::object();
  document["address"] = origin.address;
  document["validator"] = origin.validator;
  document["announced_sha256"] = origin.announced_sha256;
  document["total"] = origin.total ? json(*origin.total) : json(nullptr);
  const std::string text = document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  weights::TemporaryFile file(origin_path_);
  file.write(std::as_bytes(std::span(text)));
  file.rename();
}

void PartFile::read(const std::function<void(std::span<const std::byte>)>& sink) const {
  std::vector<std::byte> buffer(piece);
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t got = ::pread(descriptor_.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_by_errno("cannot be read");
    if (got == 0) throw Error(ErrorKind::input, fmt::format("{}: became shorter while it was read", path_.string()));
    sink(std::span(buffer).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
}

void PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse_by_errno("cannot be written");
    size_ += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void PartFile::clear() {
  if (::ftruncate(descriptor_.get(), 0) != 0) refuse_by_errno("cannot be written");
  size_ = 0;
  ::unlink(origin_path_.c_str());
}

void PartFile::remove() {
  ::unlink(origin_path_.c_str());
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) refuse_by_errno("cannot be removed");
  descriptor_.reset();
}

void PartFile::rename(const std::filesystem::path& destination) {
  ::unlink(origin_path_.c_str());
  if (std::rename(path_.c_str(), destination.c_str()) != 0) refuse_by_errno("cannot be renamed");
  descriptor_.reset();
}

void PartFile::refuse_by_errno(const char* what) const {
  const int reason = errno;
  throw Error(ErrorKind::input,
              fmt::format("{}: {}: {}", path_.string(), what, reason_of({reason, std::generic_category()})));
}

std::optional<std::uint64_t> bytes_free(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(path, error);
  if (error) return std::nullopt;
  return space.available;
}

}  // namespace blindspot::fetch
