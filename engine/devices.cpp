// Implementation of devices.h, and of list_devices in the public header model.h.
#include "engine/devices.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/cpu/cpu_device.h"
#include "engine/plugin_loader.h"

namespace blindspot {

namespace {

// More than any machine has cores; each takes memory of its own.
constexpr int most_threads = 4096;

/// N of "cuda:N", 0 of "cuda"; none for any other name.
std::optional<int> gpu_number(std::string_view device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return std::nullopt;
  device.remove_prefix(5);
  int number = -1;
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), number);
  if (error != std::errc() || end != device.data() + device.size() || number < 0 || device.size() > 3) {
    return std::nullopt;
  }
  return number;
}

std::vector<Precision> cpu_precisions() {
  std::vector<Precision> precisions{Precision::fp32};
  if (cpu::supports_bf16()) precisions.push_back(Precision::bf16);
  return precisions;
}

DeviceInformation processor() {
  DeviceInformation processor;
  processor.name = "cpu";
  processor.description = cpu::describe_processor();
  processor.usable = true;
  processor.precisions = cpu_precisions();
  processor.memory_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  return processor;
}

/// Every GPU, or one entry "cuda" with the reason why there is none.
std::vector<DeviceInformation> gpus() {
  const LoadedPlugin& plugin = cuda_plugin();
  cuda::GpuReport report;
  if (plugin.table == nullptr)
    report.reason = plugin.reason;
  else
    report = plugin.table->report();
  std::vector<DeviceInformation> all;
  for (cuda::GpuInformation& gpu : report.gpus) {
    all.push_back({fmt::format("cuda:{}", gpu.number), std::move(gpu.description), gpu.reason.empty(),
                   std::move(gpu.reason), std::move(gpu.precisions), gpu.memory_bytes});
  }
  if (all.empty()) all.push_back({"cuda", "", false, report.reason, {}, 0});
  return all;
}

bool has(const std::vector<Precision>& available, Precision precision) {
  return std::find(available.begin(), available.end(), precision) != available.end();
}

DeviceChoice choose_cpu(std::optional<Precision> precision, int threads, std::string note) {
  DeviceChoice choice{"cpu", precision.value_or(Precision::fp32), threads, -1, std::move(note)};
  if (has(cpu_precisions(), choice.precision)) return choice;
  const char* reason =
      choice.precision == Precision::bf16 ? "bf16 needs a processor with AVX-512" : "the CPU has fp32 and bf16";
  throw Error(ErrorKind::usage, fmt::format("--precision {}: {}", to_string(choice.precision), reason));
}

DeviceChoice choose_gpu(const DeviceInformation& gpu, int number, std::optional<Precision> precision, int threads) {
  DeviceChoice choice{gpu.name, precision.value_or(Precision::tf32), threads, number, ""};
  if (has(gpu.precisions, choice.precision)) return choice;
  throw Error(ErrorKind::usage, fmt::format("--precision {}: {} lacks it", to_string(choice.precision), gpu.name));
}

/// The GPU of the number. Throws Error(device) if it is not there or cannot be used.
DeviceInformation usable_gpu(const std::string& device, int number) {
  const std::vector<DeviceInformation> all = gpus();
  const std::string name = fmt::format("cuda:{}", number);
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const DeviceInformation& gpu) { return gpu.name == name; });
  if (found != all.end() && found->usable) return *found;
  std::string reason = found != all.end() ? found->reason : all.front().reason;
  if (all.front().name != "cuda" && found == all.end()) {
    reason = all.size() == 1 ? "there is one GPU, cuda:0"
                             : fmt::format("there are {} GPUs, cuda:0 to cuda:{}", all.size(), all.size() - 1);
  }
  throw Error(ErrorKind::device,
              fmt::format("--device {}: {}; see blindspot devices, or use --device cpu", device, reason));
}

}  // namespace

std::vector<DeviceInformation> list_devices() {
  std::vector<DeviceInformation> all{processor()};
  for (DeviceInformation& gpu : gpus()) all.push_back(std::move(gpu));
  return all;
}

DeviceChoice choose_device(const std::string& device, std::optional<Precision> precision, int threads) {
  if (threads < 0 || threads > most_threads) {
    throw Error(ErrorKind::usage, fmt::format("--threads {}: it must be between 0 and {}", threads, most_threads));
  }
  if (const std::optional<int> number = gpu_number(device)) {
    return choose_gpu(usable_gpu(device, *number), *number, precision, threads);
  }
  if (device == "cpu") return choose_cpu(precision, threads, "");
  if (device != "auto") {
    throw Error(ErrorKind::usage, fmt::format("--device {}: it must be auto, cpu or cuda[:N]", device));
  }
  if (!cuda_plugin().present) return choose_cpu(precision, threads, "");
  const DeviceInformation first = gpus().front();
  if (first.usable) return choose_gpu(first, 0, precision, threads);
  return choose_cpu(precision, threads,
                    fmt::format("{} cannot be used: {}; running on the CPU", first.name, first.reason));
}

std::unique_ptr<Device> make_device(const DeviceChoice& choice) {
  if (choice.gpu < 0) return cpu::make_device({choice.precision, choice.threads});
  return cuda_plugin().table->make_device(choice.gpu, choice.precision);
}

}  // namespace blindspot
