// Every bad weight file of the fixtures is refused in one line and little memory; so is every prefix of good ones, and
// changed bytes do no harm.
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>

#include "../shared_material.h"
#include "allocation_meter.h"
#include "weight_fixtures.h"

namespace blindspot::tests {
namespace {

using weights::StateDict;
using weights::WeightFile;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

std::vector<std::byte> gunzipped(const std::filesystem::path& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  std::vector<std::byte> bytes(16 * mebibyte);
  const int size = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  bytes.resize(static_cast<std::size_t>(std::max(size, 0)));
  return bytes;
}

void load_as_resnet20(std::shared_ptr<const WeightFile> file) {
  const StateDict state = StateDict::from_file(std::move(file));
  const auto declaration = resnet20_declaration();
  state.check("cifar_resnet20", declaration);
  for (const auto& tensor : declaration) state.read(tensor.name);
}

void read_all(const WeightFile& file) {
  for (std::size_t i = 0; i < file.tensors().size(); ++i) file.read(i, false);
}

void check_message(const std::string& message, const std::string& name) {
  CHECK(message.starts_with(name + ": "));
  CHECK(std::none_of(message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  CHECK(message.size() < 1000);
}

/// All good files, those of truncations.json and those that index.json lists.
std::vector<std::string> good_files(const std::filesystem::path& folder) {
  auto files = json_of(folder / "truncations.json")["files"].get<std::vector<std::string>>();
  for (const auto& entry : json_of(folder / "good" / "index.json")) {
    const std::string file = "good/" + entry["file"].get<std::string>();
    const bool is_file = std::filesystem::is_regular_file(folder / file);
    if (is_file && std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
  }
  return files;
}

TEST_CASE("bad weight files are refused, in one line and little memory") {
  const auto folder = shared_material("fixtures/weights/bad");
  if (!folder) return;
  for (const auto& entry : json_of(*folder / "index.json")) {
    const auto name = entry["file"].get<std::string>();
    CAPTURE(name);
    const auto sentinel = entry.value("sentinel", nlohmann::json());
    if (sentinel.is_string()) std::filesystem::remove(sentinel.get<std::string>());
    const auto bytes = name.ends_with(".gz") ? gunzipped(*folder / name) : bytes_of(*folder / name);
    const std::string shown = (*folder / name).string();
    const bool refused_when_read = entry["stage"] == "read";
    start_metering_allocations();
    const auto start = std::chrono::steady_clock::now();
    const std::string message = refusal([&] {
      auto file = std::make_shared<const WeightFile>(name.ends_with(".gz") ? WeightFile::from_memory(shown, bytes)
                                                                           : WeightFile::open(*folder / name));
      if (!refused_when_read) load_as_resnet20(std::move(file));
    });
    const auto elapsed = std::chrono::steady_clock::now() - start;
    check_message(message, shown);
    CHECK(peak_allocated_bytes() < bytes.size() + 64 * mebibyte);
    CHECK(elapsed < std::chrono::seconds(5));
    if (sentinel.is_string()) CHECK_FALSE(std::filesystem::exists(sentinel.get<std::string>()));
    if (!refused_when_read) CHECK_NOTHROW(WeightFile::from_memory(shown, bytes));
  }
}

TEST_CASE("messages name the cause") {
  const auto folder = shared_material("fixtures/weights/bad");
  if (!folder) return;
  const std::vector<std::pair<std::string, std::string>> causes = {
      {"code-os-system.pth", "os.system"},
      {"code-unused.pth", "os.system"},
      {"whole-model.pth", "state_dict()"},
      {"zip-torchscript.pt", "TorchScript"},
      {"not-lfs.safetensors", "git-lfs"},
      {"resnet20-missing.pth", "layer2.1.bn2.running_var"},
      {"resnet20-nan.pth", "bn1.weight"},
      {"resnet20-inf.pth", "linear.bias"},
      {"resnet20-variance.pth", "running_var"},
      {"resnet20-extra.pth", "layer4.0.conv1.weight"},
      {"zip-crc.pth", "archive/data/0"},
      {"resnet20-shape.pth", "[64, 32, 1, 1], not [64, 32, 3, 3]"},
      {"st-duplicate.safetensors", "twice"},
      {"resnet20-collision.pth", "module.conv1.weight"},
      {"tensor-class-quantised.pth", "torch.QInt8Storage"}};
  for (const auto& file_and_cause : causes) {
    const auto& name = file_and_cause.first;
    const auto& cause = file_and_cause.second;
    CAPTURE(name);
    const std::string message =
        refusal([&] { load_as_resnet20(std::make_shared<const WeightFile>(WeightFile::open(*folder / name))); });
    CAPTURE(message);
    CHECK(message.find(cause) != std::string::npos);
  }
}

TEST_CASE("every prefix of a good file is refused") {
  const auto folder = shared_material("fixtures/weights");
  if (!folder) return;
  const std::vector<std::string> files = good_files(*folder);
  REQUIRE(files.size() > 20);
  for (const std::string& file : files) {
    CAPTURE(file);
    const auto bytes = bytes_of(*folder / file);
    start_metering_allocations();
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      // A buffer of its own lets the sanitizer see a read behind the end.
      const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      const std::string message = refusal([&] { WeightFile::from_memory("cut", prefix); });
      CAPTURE(length);
      CHECK(message.starts_with("cut: "));
    }
    CHECK(peak_allocated_bytes() < 16 * mebibyte);
  }
}

TEST_CASE("a changed byte does no harm") {
  const auto folder = shared_material("fixtures/weights");
  if (!folder) return;
  const std::vector<std::string> files = good_files(*folder);
  REQUIRE(files.size() > 20);
  for (const std::string& file : files) {
    CAPTURE(file);
    auto bytes = bytes_of(*folder / file);
    start_metering_allocations();
    for (std::byte& byte : bytes) {
      byte = ~byte;
      try {
        read_all(WeightFile::from_memory("changed", bytes));
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::input);
      }
      byte = ~byte;
    }
    CHECK(peak_allocated_bytes() < 16 * mebibyte);
  }
}

TEST_CASE("several changed bytes at once do no harm") {
  const auto folder = shared_material("fixtures/weights");
  if (!folder) return;
  const std::vector<std::string> files = good_files(*folder);
  REQUIRE(files.size() > 20);
  std::mt19937 random(1);
  for (const std::string& file : files) {
    CAPTURE(file);
    const auto bytes = bytes_of(*folder / file);
    std::uniform_int_distribution<std::size_t> place(0, bytes.size() - 1);
    start_metering_allocations();
    for (unsigned round = 0; round < 2000; ++round) {
      CAPTURE(round);
      auto changed = bytes;
      for (unsigned i = 0; i < 2 + round % 7; ++i) changed[place(random)] = static_cast<std::byte>(random() & 0xFFU);
      try {
        read_all(WeightFile::from_memory("changed", changed));
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::input);
      }
    }
    CHECK(peak_allocated_bytes() < 16 * mebibyte);
  }
}

}  // namespace
}  // namespace blindspot::tests
