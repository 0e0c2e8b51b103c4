// Implementation of plugin_loader.h.
#include "engine/plugin_loader.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <system_error>

namespace blindspot {

namespace {

namespace files = std::filesystem;

constexpr const char* plugin_file = "libblindspot_cuda.so";

/// What the loader says, which is one line, without the file that the caller names anyway.
std::string loader_message(const std::string& file) {
  const char* said = dlerror();
  std::string message = said == nullptr ? "it cannot be opened" : said;
  if (message.starts_with(file + ": ")) message.erase(0, file.size() + 2);
  return message;
}

LoadedPlugin open(const files::path& path) {
  LoadedPlugin plugin;
  plugin.present = true;
  // Never closed: the CUDA runtime's threads and exit functions hang on it.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    plugin.reason = fmt::format("{} cannot be opened: {}", path.string(), loader_message(path.string()));
    return plugin;
  }
  auto* const function = reinterpret_cast<cuda::PluginFunction*>(dlsym(handle, cuda::plugin_function_name));
  if (function == nullptr) {
    plugin.reason = fmt::format("{} is no plug-in of blindspot", path.string());
    return plugin;
  }
  const cuda::PluginTable* const table = function();
  if (std::string_view(table->interface) != cuda::interface_text()) {
    plugin.reason = fmt::format("{} belongs to another build of blindspot ({}, this is {}): install the two together",
                                path.string(), table->interface, cuda::interface_text());
    return plugin;
  }
  plugin.table = table;
  return plugin;
}

/// Of the program or shared library that this code is part of; empty if the loader does not say.
files::path own_folder() {
  Dl_info own{};
  if (dladdr(reinterpret_cast<const void*>(&load_plugin), &own) == 0 || own.dli_fname == nullptr) return {};
  std::error_code error;
  const files::path file = files::canonical(own.dli_fname, error);
  return error ? files::path() : file.parent_path();
}

}  // namespace

std::vector<files::path> plugin_folders() {
  std::vector<files::path> folders;
  if (const char* chosen = std::getenv("BLINDSPOT_PLUGINS")) {
    std::istringstream stream(chosen);
    for (std::string folder; std::getline(stream, folder, ':');) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
    return folders;
  }
  std::error_code error;
  const files::path program = files::read_symlink("/proc/self/exe", error);
  if (!error) {
    folders.push_back(program.parent_path());
    folders.push_back(program.parent_path().parent_path() / "lib");
  }
  // In a program that holds this code itself, that is the program's folder again.
  const files::path own = own_folder();
  if (!own.empty() && std::find(folders.begin(), folders.end(), own) == folders.end()) folders.push_back(own);
  folders.emplace_back(BLINDSPOT_PLUGIN_FOLDER);
  return folders;
}

LoadedPlugin load_plugin(const std::vector<files::path>& folders) {
  for (const files::path& folder : folders) {
    std::error_code ignored;
    if (files::exists(folder / plugin_file, ignored)) return open(folder / plugin_file);
  }
  return {nullptr, false, fmt::format("this build has no CUDA device ({} is not beside it)", plugin_file)};
}

const LoadedPlugin& cuda_plugin() {
  static const LoadedPlugin plugin = load_plugin(plugin_folders());
  return plugin;
}

}  // namespace blindspot
