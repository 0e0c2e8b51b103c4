// Implementation of lost_file.h. All within the handler is safe there: system calls and memory on the stack.
#include "tools/lost_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace blindspot::tools {

namespace {

/// "BEGIN-END PERMISSIONS OFFSET DEVICE INODE      /PATH": the path if the mapping holds the address, else nothing.
std::string_view path_if_within(std::string_view line, std::uintptr_t address) {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  const char* const last = line.data() + line.size();
  const std::from_chars_result first = std::from_chars(line.data(), last, begin, 16);
  if (first.ptr == last || *first.ptr != '-') return {};
  std::from_chars(first.ptr + 1, last, end, 16);
  const std::size_t path = line.find('/');
  return address >= begin && address < end && path != std::string_view::npos ? line.substr(path) : std::string_view();
}

/// Writes the path of the file that is mapped at `address`; false if none is.
bool write_path_at(std::uintptr_t address) {
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return false;
  std::array<char, 4352> line{};  // the longest path and what stands before it
  std::size_t size = 0;
  std::array<char, 1024> part{};
  bool found = false;
  for (ssize_t got = 0; !found && (got = read(maps, part.data(), part.size())) > 0;) {
    for (ssize_t i = 0; i < got && !found; ++i) {
      const char letter = part.at(static_cast<std::size_t>(i));
      if (letter != '\n') {
        if (size < line.size()) line.at(size++) = letter;
        continue;
      }
      const std::string_view path = path_if_within({line.data(), size}, address);
      found = !path.empty() && write(STDERR_FILENO, path.data(), path.size()) >= 0;
      size = 0;
    }
  }
  close(maps);
  return found;
}

void write_text(std::string_view text) {
  const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(written);  // nobody is left to tell
}

extern "C" void end_by_lost_file(int /*number*/, siginfo_t* information, void* /*context*/) {
  write_text("blindspot: ");
  if (!write_path_at(reinterpret_cast<std::uintptr_t>(information->si_addr))) write_text("a file in memory");
  write_text(": became shorter, or its disk failed, while it was read\n");
  _exit(3);
}

}  // namespace

void end_by_lost_files() {
  struct sigaction action {};
  action.sa_sigaction = end_by_lost_file;
  sigemptyset(&action.sa_mask);
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace blindspot::tools
