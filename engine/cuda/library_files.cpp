// Implementation of library_files.h. Python is not run: its folders are recognised by their layout.
#include "engine/cuda/library_files.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace blindspot::cuda {

namespace {

namespace files = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<files::path> split(const std::string& folders) {
  std::vector<files::path> all;
  std::istringstream stream(folders);
  for (std::string folder; std::getline(stream, folder, ':');) {
    if (!folder.empty()) all.emplace_back(folder);
  }
  return all;
}

/// Folders directly inside `folder`, the last name first, so that python3.12 comes before python3.11.
std::vector<files::path> folders_in(const files::path& folder) {
  std::vector<files::path> all;
  std::error_code error;
  for (files::directory_iterator entry(folder, error); !error && entry != files::directory_iterator();
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) all.push_back(entry->path());
  }
  std::sort(all.rbegin(), all.rend());
  return all;
}

/// Adds PREFIX/lib/python3*/{site,dist}-packages/nvidia/*/lib.
void add_wheels_of(const files::path& prefix, std::vector<files::path>& all) {
  for (const files::path& python : folders_in(prefix / "lib")) {
    if (!python.filename().string().starts_with("python3")) continue;
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const files::path& wheel : folders_in(python / packages / "nvidia")) {
        std::error_code ignored;
        if (files::is_directory(wheel / "lib", ignored)) all.push_back(wheel / "lib");
      }
    }
  }
}

/// Prefixes of Pythons: the active environment, those on PATH, the user's own, and the system's.
std::vector<files::path> python_prefixes() {
  std::vector<files::path> prefixes;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string prefix = variable(name); !prefix.empty()) prefixes.emplace_back(prefix);
  }
  for (const files::path& folder : split(variable("PATH"))) {
    std::error_code error;
    if (!files::exists(folder / "python3", error)) continue;
    prefixes.push_back(folder.parent_path());
    const files::path real = files::canonical(folder / "python3", error);
    if (!error) prefixes.push_back(real.parent_path().parent_path());
  }
  if (const files::path home = variable("HOME"); home.is_absolute()) {
    prefixes.push_back(home / ".local");
    for (const files::path& version : folders_in(home / ".pyenv" / "versions")) prefixes.push_back(version);
  }
  prefixes.emplace_back("/usr/local");
  prefixes.emplace_back("/usr");
  return prefixes;
}

void append_once(const files::path& folder, std::vector<files::path>& all) {
  if (std::find(all.begin(), all.end(), folder) == all.end()) all.push_back(folder);
}

/// Null where it cannot be opened. `refused` is then what the loader says of the first that is there: of one that is
/// not it names the file itself, of one that lacks a library of its own it names that.
void* open(const std::string& name, std::string& refused) {
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr || !refused.empty()) return handle;
  const std::string reason = dlerror();
  const bool absent = reason.starts_with(name + ":") && reason.ends_with(std::generic_category().message(ENOENT));
  if (!absent) refused = reason.find(name) != std::string::npos ? reason : fmt::format("{}: {}", name, reason);
  return nullptr;
}

std::string path_of(void* handle, const std::string& name) {
  char folder[4096] = {};
  if (name.find('/') != std::string::npos || dlinfo(handle, RTLD_DI_ORIGIN, folder) != 0) return name;
  return std::string(folder) + "/" + name;
}

}  // namespace

void* OpenLibrary::symbol(const char* name) const {
  return dlsym(handle_, name);
}

std::vector<files::path> library_folders_of_user() {
  return split(variable("BLINDSPOT_CUDA_LIBRARIES"));
}

std::vector<files::path> usual_library_folders() {
  std::vector<files::path> toolkits;
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string prefix = variable(name); !prefix.empty()) toolkits.push_back(files::path(prefix) / "lib64");
  }
  toolkits.emplace_back("/usr/local/cuda/lib64");
  std::vector<files::path> wheels;
  for (const files::path& prefix : python_prefixes()) add_wheels_of(prefix, wheels);
  std::vector<files::path> all;
  for (const files::path& folder : toolkits) {
    std::error_code ignored;
    if (files::is_directory(folder, ignored)) append_once(folder, all);
  }
  for (const files::path& folder : wheels) append_once(folder, all);
  return all;
}

LibrarySearch open_library(std::span<const std::string> names) {
  std::string refused;
  const std::vector<files::path> by_user = library_folders_of_user();
  const std::vector<files::path> usual = usual_library_folders();
  for (const std::string& name : names) {
    for (const files::path& folder : by_user) {
      const std::string file = (folder / name).string();
      if (void* handle = open(file, refused)) return {OpenLibrary(handle, file), {}};
    }
  }
  for (const std::string& name : names) {
    if (void* handle = open(name, refused)) return {OpenLibrary(handle, path_of(handle, name)), {}};
    for (const files::path& folder : usual) {
      const std::string file = (folder / name).string();
      if (void* handle = open(file, refused)) return {OpenLibrary(handle, file), {}};
    }
  }
  if (!refused.empty()) return {std::nullopt, refused};
  return {std::nullopt, fmt::format("{} was found neither where the system looks nor among Python's nvidia-* wheels; "
                                    "BLINDSPOT_CUDA_LIBRARIES may name its folder",
                                    fmt::join(names, " nor "))};
}

std::size_t open_beside(const OpenLibrary& library, std::string_view beginning) {
  std::size_t opened = 0;
  std::error_code error;
  for (files::directory_iterator entry(files::path(library.path()).parent_path(), error);
       !error && entry != files::directory_iterator(); entry.increment(error)) {
    std::string refused;
    if (!entry->path().filename().string().starts_with(beginning)) continue;
    if (open(entry->path().string(), refused) != nullptr) ++opened;
  }
  return opened;
}

}  // namespace blindspot::cuda
