// Implementation of plan_cache.h. A file is CBOR: a format number, the whole key, the plan, and a checksum of
// everything else, since a library that is handed damaged contents may do anything.
#include "engine/cuda/plan_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace blindspot::cuda {

namespace {

using Json = nlohmann::json;
namespace files = std::filesystem;

constexpr int format_number = 2;  // 2: timed with the cache written over, tried from a recording

/// FNV-1a. Guards against damage and spreads file names; the key itself is compared, so a collision costs a search.
std::uint64_t hash_of(const void* data, std::size_t bytes, std::uint64_t hash = 14695981039346656037u) {
  const auto* byte = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ byte[i]) * 1099511628211u;
  return hash;
}

std::uint64_t hash_of(const std::string& text, std::uint64_t hash) {
  // The length keeps "ab" + "c" apart from "a" + "bc".
  const std::uint64_t size = text.size();
  return hash_of(text.data(), text.size(), hash_of(&size, sizeof size, hash));
}

std::uint64_t checksum(const PlanKey& key, const CachedPlan& plan) {
  std::uint64_t hash = format_number;
  for (const std::string* text : {&key.library, &key.gpu, &key.description, &plan.identity})
    hash = hash_of(*text, hash);
  return hash_of(plan.contents.data(), plan.contents.size(), hash);
}

std::vector<std::uint8_t> bytes_of(const PlanKey& key, const CachedPlan& plan) {
  Json document;
  document["format"] = format_number;
  document["library"] = key.library;
  document["gpu"] = key.gpu;
  document["description"] = key.description;
  document["identity"] = plan.identity;
  document["contents"] = Json::binary(plan.contents);
  document["checksum"] = checksum(key, plan);
  return Json::to_cbor(document);
}

/// Null where the document is not what bytes_of writes.
std::optional<std::pair<PlanKey, CachedPlan>> read(const std::vector<std::uint8_t>& bytes) {
  const Json document = Json::from_cbor(bytes, true, false);
  if (!document.is_object() || document.value("format", Json()) != Json(format_number)) return std::nullopt;
  for (const char* name : {"library", "gpu", "description", "identity"}) {
    if (!document.contains(name) || !document.at(name).is_string()) return std::nullopt;
  }
  if (!document.contains("contents") || !document.at("contents").is_binary()) return std::nullopt;
  if (!document.contains("checksum") || !document.at("checksum").is_number_unsigned()) return std::nullopt;
  PlanKey key{document.at("library"), document.at("gpu"), document.at("description")};
  CachedPlan plan{document.at("identity"), document.at("contents").get_binary()};
  if (document.at("checksum").get<std::uint64_t>() != checksum(key, plan)) return std::nullopt;
  return std::pair(std::move(key), std::move(plan));
}

std::optional<std::vector<std::uint8_t>> contents_of(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
  if (file.bad()) return std::nullopt;
  return bytes;
}

/// Writes beside the file, then renames over it. False where the folder cannot be written.
bool replace(const files::path& path, const std::vector<std::uint8_t>& bytes) {
  std::error_code error;
  files::create_directories(path.parent_path(), error);
  std::string temporary = path.string() + ".XXXXXX";
  const int descriptor = mkstemp(temporary.data());
  if (descriptor < 0) return false;
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(descriptor, bytes.data() + written, bytes.size() - written);
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  const bool whole = close(descriptor) == 0 && written == bytes.size();
  if (whole) files::rename(temporary, path, error);
  if (!whole || error) {
    std::error_code ignored;
    files::remove(temporary, ignored);
    return false;
  }
  return true;
}

}  // namespace

PlanCache::PlanCache(files::path folder, Notice notice) : folder_(std::move(folder)), notice_(std::move(notice)) {}

files::path PlanCache::file_of(const PlanKey& key) const {
  // Files of another format have other names: they are not damaged.
  std::uint64_t names[2] = {14695981039346656037u, format_number};
  for (std::uint64_t& name : names) {
    for (const std::string* text : {&key.library, &key.gpu, &key.description}) name = hash_of(*text, name);
  }
  return folder_ / fmt::format("{:016x}{:016x}.plan", names[0], names[1]);
}

std::optional<CachedPlan> PlanCache::find(const PlanKey& key) const {
  if (folder_.empty()) return std::nullopt;
  const files::path path = file_of(key);
  std::error_code error;
  if (!files::exists(path, error)) return std::nullopt;
  try {
    const std::optional<std::vector<std::uint8_t>> bytes = contents_of(path);
    auto found = bytes ? read(*bytes) : std::nullopt;
    if (!found) {
      notice_(fmt::format("{}: a damaged plan file, searching anew", path.string()));
      return std::nullopt;
    }
    const PlanKey& kept = found->first;
    if (kept.library != key.library || kept.gpu != key.gpu || kept.description != key.description) return std::nullopt;
    return std::move(found->second);
  } catch (const std::exception&) {  // no memory for a file of absurd size, say
    notice_(fmt::format("{}: a plan file that cannot be read, searching anew", path.string()));
    return std::nullopt;
  }
}

void PlanCache::keep(const PlanKey& key, const CachedPlan& plan) {
  if (folder_.empty()) return;
  bool kept = false;
  try {
    kept = replace(file_of(key), bytes_of(key, plan));
  } catch (const std::exception&) {
    kept = false;
  }
  if (kept || said_unwritable_) return;
  said_unwritable_ = true;
  notice_(fmt::format("{}: plans cannot be kept there, so every start searches anew", folder_.string()));
}

files::path plan_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return files::path(value == nullptr ? "" : value);
  };
  const files::path cache = variable("XDG_CACHE_HOME");
  if (cache.is_absolute()) return cache / "blindspot";
  const files::path home = variable("HOME");
  return home.is_absolute() ? home / ".cache" / "blindspot" : files::path();
}

}  // namespace blindspot::cuda
