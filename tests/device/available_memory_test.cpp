// Memory that is left, as /proc and control groups tell it, in folders made here.
#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <string>

#include "../temporary_folder.h"
#include "engine/cpu/available_memory.h"

namespace blindspot::tests {
namespace {

namespace fs = std::filesystem;

/// A root folder with files of a system that is not this one.
class MadeSystem {
 public:
  MadeSystem() {
    write("proc/meminfo", "MemTotal:       9000 kB\nMemFree:  5 kB\nMemAvailable:   8000 kB\nBuffers: 1 kB\n");
  }

  void write(const fs::path& path, const std::string& text) const { root_.write(path, text); }
  std::uint64_t available() const { return cpu::available_memory(root_.path()); }

 private:
  TemporaryFolder root_;
};

constexpr std::uint64_t of_system = std::uint64_t{8000} * 1024;

TEST_CASE("without control groups the system's own number counts") {
  const MadeSystem system;
  CHECK(system.available() == of_system);
  system.write("proc/meminfo", "MemTotal: 9000 kB\n");
  CHECK(system.available() == std::numeric_limits<std::uint64_t>::max());
  system.write("proc/meminfo", "MemAvailable: many kB\n");
  CHECK(system.available() == std::numeric_limits<std::uint64_t>::max());
  CHECK(cpu::available_memory() > 0);  // of this machine
}

TEST_CASE("a limit of control groups version 2") {
  const MadeSystem system;
  const fs::path group = "sys/fs/cgroup/jobs/walk";
  system.write("proc/self/cgroup", "0::/jobs/walk\n");
  system.write(group / "memory.max", "max\n");
  system.write(group / "memory.current", "100000\n");
  CHECK(system.available() == of_system);
  system.write(group / "memory.max", "1000000\n");
  CHECK(system.available() == 900000);
  // Cached files are given up when memory is short.
  system.write(group / "memory.stat", "anon 30000\ninactive_file 60000\nactive_file 10000\n");
  CHECK(system.available() == 960000);
  // A group above counts too, whichever leaves less.
  system.write("sys/fs/cgroup/jobs/memory.max", "500000\n");
  system.write("sys/fs/cgroup/jobs/memory.current", "400000\n");
  CHECK(system.available() == 100000);
  system.write("sys/fs/cgroup/jobs/memory.current", "600000\n");
  CHECK(system.available() == 0);
}

TEST_CASE("a container sees its own group at the mounted folder") {
  const MadeSystem system;
  system.write("proc/self/cgroup", "0::/../../host/name\n");
  system.write("sys/fs/cgroup/memory.max", "1000000\n");
  system.write("sys/fs/cgroup/memory.current", "250000\n");
  CHECK(system.available() == 750000);
}

TEST_CASE("a limit of control groups version 1") {
  const MadeSystem system;
  system.write("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:hugetlb,memory:/jobs\n1:name=systemd:/\n");
  const fs::path group = "sys/fs/cgroup/memory/jobs";
  // What version 1 calls no limit.
  system.write(group / "memory.limit_in_bytes", "9223372036854771712\n");
  system.write(group / "memory.usage_in_bytes", "100000\n");
  CHECK(system.available() == of_system);
  system.write(group / "memory.limit_in_bytes", "1000000\n");
  CHECK(system.available() == 900000);
  system.write(group / "memory.stat", "inactive_file 5\ntotal_inactive_file 1000000\n");
  CHECK(system.available() == 1000000);
}

TEST_CASE("files that make no sense are passed over") {
  const MadeSystem system;
  system.write("proc/self/cgroup", "nonsense\n0:\n4:memory\n0::/jobs\n");
  system.write("sys/fs/cgroup/jobs/memory.max", "much\n");
  system.write("sys/fs/cgroup/jobs/memory.current", "");
  CHECK(system.available() == of_system);
}

}  // namespace
}  // namespace blindspot::tests
