// Converting a file whose one tensor is large: it ends soon after it is asked to. Uses the public headers.
#include <cstdint>
#include <fstream>

#include "tests/model/small_folder.h"

namespace blindspot::tests {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

/// Zeros, of which the disk holds none.
void write_large(const std::filesystem::path& file, std::uint64_t bytes) {
  std::string header = R"({"large":{"dtype":"F32","shape":[)" + std::to_string(bytes / 4) + R"(],"data_offsets":[0,)" +
                       std::to_string(bytes) + "]}}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = header.size();
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(&size), sizeof(size)) << header;
  std::filesystem::resize_file(file, sizeof(size) + size + bytes);
}

/// Bytes of the files that stand in the folder beside `but`.
std::uint64_t bytes_beside(const std::filesystem::path& but) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(but.parent_path())) {
    if (entry.path() != but) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

TEST_CASE("the conversion of a large tensor is stopped within it and leaves nothing") {
  const TemporaryFolder folder;
  const auto input = folder.path() / "large.safetensors", output = folder.path() / "out.safetensors";
  write_large(input, 256 * mebibyte);
  ConvertOptions options;
  options.as_is = true;
  std::uint64_t written = 0;
  options.cancelled = [&] {
    written = bytes_beside(input);
    return written > mebibyte;  // as soon as some of the tensor is there
  };
  CHECK_THROWS_AS(convert_weights(input, output, options), Stopped);
  CHECK(written < 32 * mebibyte);
  CHECK(bytes_beside(input) == 0);
}

}  // namespace blindspot::tests
