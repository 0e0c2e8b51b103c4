// Implementation of output_folder.h.
#include "tools/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>  // NOLINT(modernize-deprecated-headers): renameat2 stands here
#include <unistd.h>

#include <array>
#include <string_view>
#include <system_error>

#include "blindspot/error.h"

namespace blindspot::tools {

namespace fs = std::filesystem;

namespace {

/// Names that a result consists of; a folder with any other is not ours to remove.
bool is_result_file(const fs::directory_entry& entry) {
  if (!entry.is_regular_file()) return false;
  const std::string name = entry.path().filename().string();
  constexpr std::array<std::string_view, 3> whole{"result.json", "images.safetensors", "grid.png"};
  for (const std::string_view known : whole) {
    if (name == known) return true;
  }
  constexpr std::array<std::string_view, 3> beginnings{"final-", "path-", "image-"};
  for (const std::string_view beginning : beginnings) {
    if (name.starts_with(beginning) && name.ends_with(".png")) return true;
  }
  return false;
}

void refuse_what_is_there(const std::string& name, const fs::path& path, bool overwrite) {
  if (!fs::exists(path)) return;
  if (!fs::is_directory(path)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a file; name a folder for the result", name));
  }
  if (fs::is_empty(path)) return;
  if (!overwrite) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: exists already; give --overwrite to replace the result in it", name));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (is_result_file(entry)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{}: holds {}, which is no part of a result; move it away or name another "
                            "folder",
                            name, entry.path().filename().string()));
  }
}

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

OutputFolder::OutputFolder(const std::string& path, bool overwrite) : name_(path) {
  try {
    final_ = final_path(path);
    refuse_what_is_there(name_, final_, overwrite);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::input, fmt::format("{}: {}", name_, error.code().message()));
  }
  make_partial_folder();
}

OutputFolder::~OutputFolder() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
  // Folders above it that were made for it go too, from the bottom, as far as they are empty.
  for (fs::path folder = partial_.parent_path(); !first_made_.empty(); folder = folder.parent_path()) {
    if (!fs::remove(folder, ignored) || folder == first_made_) break;
  }
}

void OutputFolder::make_partial_folder() {
  partial_ = final_.parent_path() / fmt::format("{}.partial-{}", final_.filename().string(), getpid());
  std::error_code error;
  first_made_ = first_missing(partial_.parent_path());
  fs::create_directories(partial_.parent_path(), error);
  if (!error && !fs::create_directory(partial_, error) && !error) error = std::make_error_code(std::errc::file_exists);
  if (error) {
    throw Error(ErrorKind::input, fmt::format("{}: the folder cannot be made: {}", name_, error.message()));
  }
}

void OutputFolder::commit() {
  std::error_code error;
  if (fs::exists(final_, error)) {
    replace_existing();
  } else {
    fs::rename(partial_, final_, error);
    if (error) throw Error(ErrorKind::input, fmt::format("{}: cannot be made: {}", name_, error.message()));
  }
  committed_ = true;
}

void OutputFolder::replace_existing() {
  std::error_code error;
  if (renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, final_.c_str(), RENAME_EXCHANGE) != 0) {
    // A file system that cannot swap two names: one after the other.
    const fs::path old = final_.parent_path() / fmt::format("{}.old-{}", final_.filename().string(), getpid());
    fs::rename(final_, old, error);
    if (!error) fs::rename(partial_, final_, error);
    if (error) throw Error(ErrorKind::input, fmt::format("{}: cannot be replaced: {}", name_, error.message()));
    partial_ = old;
  }
  fs::remove_all(partial_, error);
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
  const std::string trial = fmt::format("{}.partial-{}", path, getpid());
  const int descriptor = open(trial.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    throw Error(ErrorKind::input,
                fmt::format("{}: cannot be written: {}", path, std::generic_category().message(errno)));
  }
  close(descriptor);
  unlink(trial.c_str());
}

}  // namespace blindspot::tools
