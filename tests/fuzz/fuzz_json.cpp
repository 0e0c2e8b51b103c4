// Fuzzes what is read as JSON: the bounded parser, also from a file, config.json, preprocessor_config.json, and a
// weight file's metadata (preprocessing, classes). Every reader is given every input, but files are only written for
// inputs of some lengths, since they take most of the time. Uses engine/.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/folder_configuration.h"
#include "engine/preprocessing_json.h"
#include "engine/small_json.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace blindspot;

constexpr std::size_t lengths_to_a_file = 32;
constexpr std::size_t lengths_to_a_long_file = 256;  // a multiple of the other, so that seeds of it reach both

/// A file in memory that is gone when the process ends.
class File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }
  void write(const std::string& text) const { std::ofstream{path_, std::ios::binary} << text; }

 private:
  std::string path_;
};

/// A list of the document, without blanks behind it, as often as it takes to be more values or more bytes than there
/// may be.
std::string beyond_bounds(const std::string& text) {
  const std::string document = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  std::string list = "[" + document;
  for (std::size_t copies = 1; copies <= most_small_json_values && list.size() <= longest_small_json; ++copies) {
    list.append(",").append(document);
  }
  return list + "]";
}

void read_from_file(const std::string& text, const nlohmann::json& document) {
  static const File file("/dev/shm/blindspot-fuzz-" + std::to_string(::getpid()) + ".json");
  file.write(text);
  nlohmann::json read;
  if (!fuzz::run_bounded(text.size(), [&] { read = read_small_json_file(file.path()); }) || read != document) {
    std::abort();
  }
  if (text.size() % lengths_to_a_long_file != 0) return;
  const std::string longer = beyond_bounds(text);
  file.write(longer);
  if (fuzz::run_bounded(longer.size(), [&] { read_small_json_file(file.path()); })) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::as_text({data, size});
  nlohmann::json document;
  if (!fuzz::run_bounded(size, [&] { document = parse_bounded(text, "input.json"); })) return 0;
  if (size % lengths_to_a_file == 0) read_from_file(text, document);
  fuzz::run_bounded(size, [&] { folder_configuration_from(document, "config.json"); });
  fuzz::run_bounded(size, [&] { preprocessing_from_hugging_face(document, {}, "preprocessor_config.json"); });
  fuzz::run_bounded(size, [&] { preprocessing_from_timm(document, {}, "config.json"); });
  fuzz::run_bounded(size, [&] { classes_of_metadata({{"classes", text}}, "input.safetensors"); });
  fuzz::run_bounded(size, [&] {
    const Preprocessing read = preprocessing_from_json(text, {}, "input.safetensors");
    // What was taken is written so that it reads back.
    if (preprocessing_from_json(preprocessing_to_json(read), {}, "again") != read) std::abort();
  });
  return 0;
}
