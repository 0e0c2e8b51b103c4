// What the program and the plug-in libblindspot_cuda.so know of each other. The plug-in has one exported function,
// which gives a table; its first member says for which interface the plug-in was built, and nothing else of a table for
// another one may be touched. May use device.h only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"

namespace blindspot::cuda {

struct GpuInformation {
  int number = 0;  ///< as the CUDA runtime counts
  std::string description;
  std::string reason;  ///< why it cannot be used; empty if it can
  std::vector<Precision> precisions;
  std::uint64_t memory_bytes = 0;
};

struct GpuReport {
  std::string reason;  ///< why no GPU can be used at all: no driver, no cuDNN; empty if some might
  std::vector<GpuInformation> gpus;
};

struct PluginTable {
  const char* interface;  ///< equals interface_text() of the program that may use the rest
  /// What there is. Never throws.
  GpuReport (*report)();
  /// Throws Error(device).
  std::unique_ptr<Device> (*make_device)(int number, Precision precision);
};

/// "0.1.0 9f86d081884c7d65": the version, and a hash of the headers on which both sides have to agree.
constexpr const char* interface_text() {
  return BLINDSPOT_PLUGIN_INTERFACE;
}

constexpr const char* plugin_function_name = "blindspot_cuda_plugin";
using PluginFunction = const PluginTable*();

}  // namespace blindspot::cuda
