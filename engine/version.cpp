// What this build is: its version and the libraries and instruction set it runs with.
#include <fmt/format.h>
#include <zlib.h>

#include "blindspot/model.h"
#include "engine/cpu/cpu_device.h"
#include "engine/plugin_loader.h"

namespace blindspot {

std::string_view version() {
  return BLINDSPOT_VERSION;
}

std::string version_details() {
  return fmt::format("blindspot {}: {}; zlib {}; {} CUDA", version(), cpu::describe_processor(), zlibVersion(),
                     cuda_plugin().table != nullptr ? "with" : "without");
}

}  // namespace blindspot
