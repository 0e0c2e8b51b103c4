// Finding and opening the CUDA plug-in, libblindspot_cuda.so, at run time: one build of the program works with and
// without it. May use plugin.h and dlopen.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/cuda/plugin.h"

namespace blindspot {

struct LoadedPlugin {
  const cuda::PluginTable* table = nullptr;  ///< null: none can be used
  bool present = false;                      ///< a file was there, whether it can be used or not
  std::string reason;                        ///< why none can be used, and what to do
};

/// Where the plug-in is looked for, in order: $BLINDSPOT_PLUGINS (folders, separated by colons) alone if it is set,
/// else beside the program, in ../lib beside it, beside the shared library, and where it is installed.
std::vector<std::filesystem::path> plugin_folders();
/// Opens the first plug-in of the folders. Never throws.
LoadedPlugin load_plugin(const std::vector<std::filesystem::path>& folders);
/// That of plugin_folders(), opened at the first call.
const LoadedPlugin& cuda_plugin();

}  // namespace blindspot
