// Implementation of available_memory.h. Reads /proc and /sys/fs/cgroup, and believes only whole numbers.
#include "engine/cpu/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace blindspot::cpu {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

/// Memory files of one version of control groups.
struct MemoryFiles {
  const char* limit;
  const char* usage;
  const char* inactive;  ///< entry of memory.stat: file pages that the kernel gives up before anything fails
};

constexpr MemoryFiles version_2{"memory.max", "memory.current", "inactive_file"};
constexpr MemoryFiles version_1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

/// "max", which is no limit, reads as no number.
std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::uint64_t number = 0;
  if (stream >> number) return number;
  return std::nullopt;
}

/// Value of "KEY NUMBER" among the lines of a file.
std::optional<std::uint64_t> entry_of(const fs::path& file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    std::uint64_t number = 0;
    if (word == key && lines >> number) return number;
    lines.clear();
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

/// What one group leaves free.
std::uint64_t left_in_group(const fs::path& folder, const MemoryFiles& files) {
  const std::optional<std::uint64_t> limit = number_in(folder / files.limit);
  const std::optional<std::uint64_t> usage = number_in(folder / files.usage);
  if (!limit || !usage) return no_limit;
  const std::uint64_t inactive = entry_of(folder / "memory.stat", files.inactive).value_or(0);
  const std::uint64_t held = *usage - std::min(*usage, inactive);
  return *limit - std::min(*limit, held);
}

/// The least that a group or one of those above it leaves. In a container, the group's path may be one of the host's
/// that is not there; then the folder that is mounted is the container's own group.
std::uint64_t left_in_groups(const fs::path& mounted, const std::string& group, const MemoryFiles& files) {
  std::uint64_t least = left_in_group(mounted, files);
  fs::path folder = mounted;
  for (const fs::path& part : fs::path(group).relative_path()) {
    if (part == "..") break;
    folder /= part;
    least = std::min(least, left_in_group(folder, files));
  }
  return least;
}

/// Whether a list such as "cpu,memory" holds "memory".
bool lists_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "memory") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// Lines of /proc/self/cgroup: "0::/group" (version 2), "4:memory:/group" (version 1).
std::uint64_t left_in_control_groups(const fs::path& root) {
  const fs::path mounted = root / "sys/fs/cgroup";
  std::uint64_t least = no_limit;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, left_in_groups(mounted, group, version_2));
      least = std::min(least, left_in_groups(mounted / "unified", group, version_2));
    } else if (lists_memory(controllers)) {
      least = std::min(least, left_in_groups(mounted / "memory", group, version_1));
    }
  }
  return least;
}

}  // namespace

std::uint64_t available_memory(const fs::path& root) {
  const std::optional<std::uint64_t> kilobytes = entry_of(root / "proc/meminfo", "MemAvailable:");
  return std::min(kilobytes ? *kilobytes * 1024 : no_limit, left_in_control_groups(root));
}

}  // namespace blindspot::cpu
