// Implementation of output_folder.h.
#include "tools/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string_view>
#include <vector>

#include "blindspot/error.h"
#include "tools/text_output.h"

namespace blindspot::tools {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view partial_beginning = ".partial-";

/// What a run that was killed, or still goes on, has in an existing folder: not counted and never touched.
bool is_partial_folder(const fs::directory_entry& entry) {
  return entry.path().filename().string().starts_with(partial_beginning);
}

/// Names that a result consists of; nothing else is ours to remove.
bool is_result_file(const fs::directory_entry& entry) {
  if (!fs::is_regular_file(entry.symlink_status())) return false;
  const std::string name = entry.path().filename().string();
  constexpr std::array<std::string_view, 4> whole{"result.json", "images.safetensors", "grid.png", "report.html"};
  if (std::find(whole.begin(), whole.end(), name) != whole.end()) return true;
  constexpr std::array<std::string_view, 3> beginnings{"final-", "path-", "image-"};
  const std::string ending = entry.path().extension().string();
  if (ending != ".png" && ending != ".apng" && ending != ".gif") return false;
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view beginning) {
    if (!name.starts_with(beginning)) return false;
    const std::string_view numbers =
        std::string_view(name).substr(beginning.size(), name.size() - beginning.size() - ending.size());
    return !numbers.empty() && numbers.find_first_not_of("0123456789-") == std::string_view::npos;
  });
}

void refuse_what_is_there(const std::string& name, const fs::path& path, bool overwrite, bool replaceable) {
  if (!fs::exists(path)) return;
  if (!fs::is_directory(path)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a file; name a folder for the result", name));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (is_partial_folder(entry)) continue;
    const std::string there = entry.path().filename().string();
    if (!replaceable) {
      throw Error(ErrorKind::usage, fmt::format("{}: holds {} already; name a new or an empty folder", name, there));
    }
    if (!is_result_file(entry)) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: holds {}, which is no part of a result and stays even with --overwrite; move it "
                              "away or name another folder",
                              name, there));
    }
    if (!overwrite) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: exists already; give --overwrite to replace the result in it", name));
    }
  }
}

/// Six characters that another run, also one of the same number on another machine or in a container, does not have.
std::string random_ending() {
  constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> any(0, characters.size() - 1);
  std::string ending;
  while (ending.size() < 6) ending += characters[any(random)];
  return ending;
}

/// Makes a folder of a name that nothing has, `beginning` and six characters. Throws Error(input) naming the path.
fs::path make_unique_folder(const std::string& name, const std::string& beginning) {
  constexpr int most_tries = 100;
  std::error_code error;
  fs::path path;
  for (int i = 0; i < most_tries; ++i) {
    path = beginning + random_ending();
    if (fs::create_directory(path, error)) return path;
    if (error && error != std::errc::file_exists) break;
  }
  throw Error(ErrorKind::input, fmt::format("{}: the folder {} cannot be made: {}", name, path.string(),
                                            error ? reason_of(error) : "its name is taken"));
}

/// Held while an existing folder is filled, so that two runs do not mix their files. Where a file system knows no locks
/// it holds nothing.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

 private:
  int descriptor_;
};

/// Absolute, links resolved, without a slash at the end.
fs::path final_path(const std::string& name) {
  fs::path path = fs::weakly_canonical(fs::absolute(name));
  return path.has_filename() ? path : path.parent_path();
}

/// The topmost folder on the way to `path` that does not exist; empty if all do.
fs::path first_missing(fs::path path) {
  fs::path missing;
  std::error_code ignored;
  while (!path.empty() && !fs::exists(path, ignored)) {
    missing = path;
    path = path.parent_path();
  }
  return missing;
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path, bool overwrite, bool replaceable)
    : name_(path), overwrite_(overwrite) {
  try {
    final_ = final_path(path);
    refuse_what_is_there(name_, final_, overwrite, replaceable);
    existed_ = fs::exists(final_);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::input, fmt::format("{}: {}", name_, reason_of(error.code())));
  }
  make_partial_folder();
}

OutputFolder::~OutputFolder() {
  if (commit_called_) return;
  try {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
    // Folders above it that were made for it go too, from the bottom, as far as they are empty.
    for (fs::path folder = partial_.parent_path(); !first_made_.empty(); folder = folder.parent_path()) {
      if (!fs::remove(folder, ignored) || folder == first_made_) break;
    }
  } catch (const std::exception&) {
    // No memory to look for files with: they stay, as after a kill.
  }
}

void OutputFolder::make_partial_folder() {
  if (existed_) {
    partial_ = make_unique_folder(name_, (final_ / partial_beginning).string());
    return;
  }
  const fs::path parent = final_.parent_path();
  first_made_ = first_missing(parent);
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) {
    const fs::path missing = first_missing(parent);
    throw Error(ErrorKind::input, fmt::format("{}: the folder {} cannot be made: {}", name_,
                                              (missing.empty() ? parent : missing).string(), reason_of(error)));
  }
  partial_ = make_unique_folder(name_, final_.string() + std::string(partial_beginning));
}

void OutputFolder::commit() {
  commit_called_ = true;
  if (existed_) {
    try {
      fill_existing();
    } catch (const fs::filesystem_error& error) {
      refuse_commit(fmt::format("{}: {}", error.path1().string(), error.code().message()), error.code());
    } catch (const std::bad_alloc&) {
      refuse_commit("out of memory", std::make_error_code(std::errc::not_enough_memory));
    }
    return;
  }
  std::error_code error;
  if (fs::exists(fs::symlink_status(final_, error))) refuse_commit("has appeared during the run");
  fs::rename(partial_, final_, error);
  if (error) refuse_commit("cannot be made: " + error.message(), error);
}

void OutputFolder::fill_existing() {
  const FolderLock alone(final_);
  // result.json goes first and comes last: wherever this ends, what has a result.json is whole.
  const auto result_json_last = [](const fs::path& a, const fs::path& b) {
    const bool last_a = a.filename() == "result.json";
    const bool last_b = b.filename() == "result.json";
    return last_a != last_b ? last_b : a < b;
  };
  std::vector<fs::path> old;
  for (const fs::directory_entry& entry : fs::directory_iterator(final_)) {
    if (!is_result_file(entry)) continue;
    if (!overwrite_)
      refuse_commit(fmt::format("{} has appeared in it during the run", entry.path().filename().string()));
    old.push_back(entry.path());
  }
  std::vector<fs::path> made;
  for (const fs::directory_entry& entry : fs::directory_iterator(partial_)) {
    made.push_back(entry.path());
    const fs::path place = final_ / entry.path().filename();
    if (std::find(old.begin(), old.end(), place) == old.end() && fs::exists(fs::symlink_status(place))) {
      refuse_commit(fmt::format("{} has appeared in it during the run", place.filename().string()));
    }
  }
  std::sort(old.begin(), old.end(), result_json_last);
  std::for_each(old.rbegin(), old.rend(), [](const fs::path& path) { fs::remove(path); });
  std::sort(made.begin(), made.end(), result_json_last);
  for (const fs::path& path : made) fs::rename(path, final_ / path.filename());
  std::error_code ignored;
  fs::remove(partial_, ignored);
}

void OutputFolder::refuse_commit(const std::string& what, const std::error_code& reason) const {
  throw Error(kind_of(reason), fmt::format("{}: {}; the result is kept in {}", name_, what, partial_.string()));
}

void check_output_file(const std::string& path, bool overwrite) {
  std::error_code error;
  const fs::path file(path);
  if (fs::is_directory(file, error)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a folder; name a file", path));
  }
  if (!overwrite && fs::exists(file, error)) {
    throw Error(ErrorKind::usage, fmt::format("{}: exists already; give --overwrite to replace it", path));
  }
  std::string trial = path + ".partial-XXXXXX";
  const int descriptor = mkostemp(trial.data(), O_CLOEXEC);
  if (descriptor < 0) {
    throw Error(ErrorKind::input,
                fmt::format("{}: cannot be written: {}", path, reason_of({errno, std::generic_category()})));
  }
  const int closed = close(descriptor);
  const int reason = errno;
  unlink(trial.c_str());
  if (closed != 0) {
    throw Error(ErrorKind::input,
                fmt::format("{}: cannot be written: {}", path, reason_of({reason, std::generic_category()})));
  }
}

void write_output_file(const std::string& path, const std::string& text) {
  const std::string partial = fmt::format("{}.partial-{}", path, random_ending());
  std::error_code reason = try_to_write_text(partial, text);
  if (!reason && std::rename(partial.c_str(), path.c_str()) != 0) reason.assign(errno, std::generic_category());
  if (!reason) return;
  unlink(partial.c_str());
  throw Error(ErrorKind::input, fmt::format("{}: cannot be written: {}", path, reason_of(reason)));
}

}  // namespace blindspot::tools
