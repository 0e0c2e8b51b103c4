// Kernels must not know who compiles them, or the host would test other code than the GPU runs.
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

int times(std::string_view text, std::string_view word) {
  int count = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("only instructions.cuh tells compilers apart and reads wide, and nothing launches with triple brackets") {
  constexpr std::array<std::string_view, 3> forbidden{"#if", "__CUDA_ARCH__", "<<<"};
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BLINDSPOT_KERNELS)) {
    const std::filesystem::path& path = entry.path();
    if (!entry.is_regular_file() || path.filename() == "instructions.cuh") continue;
    ++files;
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    CAPTURE(path.filename().string());
    // Casts to numbers ask how a pointer is aligned; those to other pointers would be accesses that nothing checks.
    CHECK(times(text, "reinterpret_cast<") == times(text, "reinterpret_cast<std::uintptr_t>"));
    for (const std::string_view word : forbidden) {
      CAPTURE(std::string(word));
      CHECK(text.find(word) == std::string::npos);
    }
  }
  CHECK(files > 0);
}
