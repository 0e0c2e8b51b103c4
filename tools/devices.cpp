// `blindspot devices`: what there is to run on. Uses the public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/options.h"

namespace blindspot::tools {

namespace {

Json device_json(const DeviceInformation& device) {
  Json result = Json::object();
  result["name"] = device.name;
  result["usable"] = device.usable;
  result["reason"] = device.usable ? Json(nullptr) : Json(device.reason);
  result["description"] = device.description;
  result["precisions"] = Json::array();
  for (const Precision precision : device.precisions) result["precisions"].push_back(to_string(precision));
  result["memory_bytes"] = device.memory_bytes;
  return result;
}

std::string device_line(const DeviceInformation& device) {
  if (!device.usable) return fmt::format("{}: not usable: {}\n", device.name, device.reason);
  std::string precisions;
  for (const Precision precision : device.precisions) precisions += " " + to_string(precision);
  constexpr double gibibyte = 1024.0 * 1024.0 * 1024.0;
  return fmt::format("{}:{}; {:.1f} GiB; {}\n", device.name, precisions,
                     static_cast<double>(device.memory_bytes) / gibibyte, device.description);
}

}  // namespace

int run_devices(const Arguments& arguments, const StopSignals& /*stop*/) {
  PrintingOptions printing;
  CommandLine line("devices", "What there is to run on, and what cannot be used and why.", "blindspot devices --json");
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  Json result = document("devices");
  result["devices"] = Json::array();
  std::string text;
  for (const DeviceInformation& device : list_devices()) {
    result["devices"].push_back(device_json(device));
    text += device_line(device);
  }
  print(printing.json ? to_text(result) : text);
  return 0;
}

}  // namespace blindspot::tools
