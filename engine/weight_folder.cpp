// Implementation of the public header catalogue.h: the weight folder, what lies in it under a name, and whether that is
// what it says. Sees weights.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "blindspot/catalogue.h"
#include "weights/state.h"

namespace blindspot {

namespace {

namespace fs = std::filesystem;

bool contradicts(const PublishedDigest& digest, const std::string& sha256) {
  return !digest.digits.empty() && !sha256.starts_with(digest.digits);
}

/// A file as its publisher has it, which the catalogue alone can tell.
WeightCheck check_published(const CatalogueEntry& entry, WeightCheck check) {
  if (entry.digest.digits.empty()) {
    check.state = WeightCheck::State::unknown;
    check.detail = "can be read; the catalogue has no digest of it";
  } else if (contradicts(entry.digest, check.source_sha256)) {
    check.state = WeightCheck::State::different;
    check.detail = fmt::format("its SHA-256 is {}, the catalogue has {}", check.source_sha256, entry.digest.digits);
  } else {
    check.state = WeightCheck::State::good;
    check.detail = fmt::format("as published, SHA-256 {}", check.source_sha256);
  }
  return check;
}

/// A file that was converted here: its metadata says what its tensors and its source were.
WeightCheck check_converted(const CatalogueEntry& entry, WeightCheck check,
                            const std::map<std::string, std::string>& metadata) {
  const auto recorded = metadata.find("weights_sha256");
  if (recorded == metadata.end()) {
    check.state = WeightCheck::State::unknown;
    check.detail = "can be read; it was converted without a digest of its tensors";
  } else if (recorded->second != check.weights_sha256) {
    check.state = WeightCheck::State::different;
    check.detail =
        fmt::format("the SHA-256 of its tensors is {}, it was written with {}", check.weights_sha256, recorded->second);
  } else if (contradicts(entry.digest, check.source_sha256)) {
    check.state = WeightCheck::State::different;
    check.detail = fmt::format("it was made from a file with SHA-256 {}, the catalogue has {}", check.source_sha256,
                               entry.digest.digits);
  } else {
    check.state = WeightCheck::State::good;
    check.detail = fmt::format("from a file with SHA-256 {}, tensors as they were written", check.source_sha256);
  }
  return check;
}

}  // namespace

fs::path weight_folder() {
  if (const char* folder = std::getenv("BLINDSPOT_WEIGHTS"); folder != nullptr && *folder != '\0') return folder;
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return fs::path(data) / "blindspot" / "weights";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / ".local" / "share" / "blindspot" / "weights";
}

fs::path find_weights(const fs::path& folder, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return {};
  std::error_code ignored;
  for (const char* ending : {".safetensors", ".pth", ".pt", ".th"}) {
    if (fs::path file = folder / (name + ending); fs::exists(file, ignored)) return file;
  }
  fs::path named = folder / name;
  return fs::is_directory(named, ignored) ? named : fs::path();
}

WeightCheck check_weights(const CatalogueEntry& entry, const fs::path& folder, const Cancelled& cancelled) {
  WeightCheck check;
  check.path = find_weights(folder, entry.name);
  if (check.path.empty()) return check;
  std::error_code ignored;
  const bool is_folder = fs::is_directory(check.path, ignored);
  try {
    const auto file = std::make_shared<const weights::WeightFile>(
        weights::WeightFile::open(is_folder ? check.path / "model.safetensors" : check.path, cancelled));
    const auto source = file->metadata().find("source_sha256");
    if (source == file->metadata().end()) {
      check.source_sha256 = file->sha256(cancelled);
      return check_published(entry, std::move(check));
    }
    check.source_sha256 = source->second;
    check.weights_sha256 = weights::StateDict::from_file(file, cancelled).sha256();
    return check_converted(entry, std::move(check), file->metadata());
  } catch (const Error& error) {
    check.state = WeightCheck::State::different;
    check.detail = error.what();
    return check;
  }
}

}  // namespace blindspot
