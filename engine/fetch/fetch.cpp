// Implementation of the public header fetch.h: from a catalogue's entry to a converted file in the weight folder. Sees
// the public interface, download.h, curl_transfer.h and weights.
#include "blindspot/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "blindspot/stopping.h"
#include "blindspot/weights.h"
#include "engine/fetch/curl_transfer.h"
#include "engine/fetch/download.h"
#include "weights/mapped_file.h"
#include "weights/state.h"
#include "weights/temporary_file.h"

namespace blindspot {

namespace {

namespace fs = std::filesystem;

/// The converted file's tensors are float32 as most published ones are, so it takes about as much again.
constexpr std::uint64_t converted_bytes_for_each = 1;

/// http://mirror/HOST/PATH for https://HOST/PATH
std::string mirrored(const std::string& address, std::string mirror) {
  while (mirror.ends_with('/')) mirror.pop_back();
  return fmt::format("{}/{}", mirror, address.substr(address.find("://") + 3));
}

/// Whether nobody on the way can have put words into the host's mouth.
bool is_trustworthy(const std::string& address) {
  constexpr std::array<std::string_view, 3> this_machine{"http://127.0.0.1", "http://localhost", "http://[::1]"};
  return address.starts_with("https://") ||
         std::any_of(this_machine.begin(), this_machine.end(), [&](std::string_view host) {
           return address.starts_with(host) &&
                  (address.size() == host.size() || address[host.size()] == ':' || address[host.size()] == '/');
         });
}

void check_address(const std::string& address) {
  const bool web = address.starts_with("https://") || address.starts_with("http://");
  for (const char c : address) {
    if (web && c > ' ' && c != '\x7f') continue;
    throw Error(ErrorKind::usage, fmt::format("{}: is not an address of http or https", fetch::shown_address(address)));
  }
}

class Fetch {
 public:
  Fetch(const CatalogueEntry& entry, const FetchOptions& options)
      : entry_(entry), options_(options), path_(options.folder / (entry.name + ".safetensors")) {}

  FetchedWeights run() {
    check_options();
    if (is_there()) return {path_, true, {}, {}, 0, PublishedDigest::Kind::none};
    make_folder();
    return options_.from.empty() ? from_host() : from_file();
  }

 private:
  void check_options() const {
    if (!options_.from.empty() && !options_.address.empty()) {
      throw Error(ErrorKind::usage, "a file that is brought and an address exclude each other");
    }
    if (options_.from.empty() && options_.address.empty() && entry_.address.empty()) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: no address of it is known{}; bring the published file with --from FILE", entry_.name,
                              entry_.note.empty() ? "" : fmt::format(" ({})", entry_.note)));
    }
  }

  bool is_there() const {
    std::error_code ignored;
    return !options_.overwrite && fs::exists(path_, ignored);
  }

  void make_folder() const {
    std::error_code error;
    fs::create_directories(options_.folder, error);
    if (!fs::is_directory(options_.folder)) {
      throw Error(ErrorKind::input, fmt::format("{}: cannot be made: {}", options_.folder.string(),
                                                error ? reason_of(error) : "a file is in the way"));
    }
  }

  void say(const std::string& text) const {
    if (options_.message) options_.message(text);
  }

  FetchedWeights from_file() {
    std::error_code error;
    const std::uint64_t size = fs::file_size(options_.from, error);
    if (error) throw Error(ErrorKind::input, fmt::format("{}: {}", options_.from.string(), reason_of(error)));
    if (entry_.size_bytes && *entry_.size_bytes != size) {
      throw Error(ErrorKind::input, fmt::format("{}: has {} bytes, the catalogue's {} has {}", options_.from.string(),
                                                size, entry_.name, *entry_.size_bytes));
    }
    const std::string sha256 = weights::WeightFile::open(options_.from, options_.cancelled).sha256(options_.cancelled);
    if (const std::string wrong = contradiction(sha256, ""); !wrong.empty()) {
      throw Error(ErrorKind::input, fmt::format("{}: {}", options_.from.string(), wrong));
    }
    const bool checked = !entry_.digest.digits.empty();
    if (!checked) say(fmt::format("{}: there is no digest to hold it against; it has {}", entry_.name, sha256));
    FetchedWeights result{path_,  false, options_.from.filename().string(),
                          sha256, size,  checked ? entry_.digest.kind : PublishedDigest::Kind::none};
    // Before the converted file is there, with which the entry counts as fetched.
    const std::unique_ptr<weights::TemporaryFile> copy = options_.keep_original ? copy_of_original() : nullptr;
    convert(options_.from, result);
    if (copy) copy->rename();
    return result;
  }

  /// The file that was brought, written beside the converted one but for its name; null where it is the one that was
  /// kept before.
  std::unique_ptr<weights::TemporaryFile> copy_of_original() const {
    std::error_code ignored;
    if (fs::equivalent(options_.from, original_path(), ignored)) return nullptr;
    const weights::MappedFile original(options_.from);
    auto copy = std::make_unique<weights::TemporaryFile>(original_path());
    constexpr std::size_t most_at_once = std::size_t{8} << 20U;
    for (std::span<const std::byte> rest = original.bytes(); !rest.empty();) {
      stop_if(options_.cancelled);
      const std::span<const std::byte> part = rest.first(std::min(most_at_once, rest.size()));
      copy->write(part);
      rest = rest.subspan(part.size());
    }
    return copy;
  }

  FetchedWeights from_host() {
    const std::string address = chosen_address();
    check_proof(address);
    fetch::PartFile part(
        options_.folder / (entry_.name + ".part"),
        [this] { say(fmt::format("{}: another process is fetching it; waiting for its end", entry_.name)); },
        options_.cancelled);
    // The process that was waited for may have brought it.
    if (is_there()) return {path_, true, {}, {}, 0, PublishedDigest::Kind::none};
    const fetch::Downloaded downloaded = bring(part, address);
    FetchedWeights result{
        path_, false, fetch::shown_address(address), downloaded.sha256, part.size(), checked_by(downloaded)};
    if (result.checked_by == PublishedDigest::Kind::none) {
      say(fmt::format("{}: there is no digest to hold it against; it came by https and has {}", entry_.name,
                      downloaded.sha256));
    }
    convert(part.path(), result);
    if (options_.keep_original) {
      part.rename(original_path());
    } else {
      part.remove();
    }
    return result;
  }

  std::string chosen_address() const {
    std::string address = options_.address;
    if (address.empty()) {
      address = options_.mirror.empty() ? entry_.address : mirrored(entry_.address, options_.mirror);
    }
    check_address(address);
    return address;
  }

  /// A file that matches eight digits can be made in minutes.
  void check_proof(const std::string& address) const {
    if (entry_.digest.kind != PublishedDigest::Kind::prefix || is_trustworthy(address)) return;
    throw Error(
        ErrorKind::input,
        fmt::format("{}: by http anyone on the way can send another file of which the first digits of the SHA-256 "
                    "are the same, and no more of them are known; give an address of https, or bring the file "
                    "with --from FILE",
                    fetch::shown_address(address)));
  }

  /// Downloads, and once more from the first byte if what an earlier attempt had brought may be to blame.
  fetch::Downloaded bring(fetch::PartFile& part, const std::string& address) const {
    fetch::DownloadRequest request;
    request.address = address;
    request.size = entry_.size_bytes;
    request.extra_bytes_needed = converted_bytes_for_each;
    request.stall = options_.stall;
    request.retries = options_.retries;
    request.cancelled = options_.cancelled;
    request.progress = [this](std::uint64_t done, std::optional<std::uint64_t> total, std::uint64_t before) {
      if (options_.progress) options_.progress({done, total, before});
    };
    request.message = [this](const std::string& text) { say(fmt::format("{}: {}", entry_.name, text)); };
    for (bool again = false;; again = true) {
      fetch::Downloaded downloaded = fetch::download(part, request);
      const std::string wrong = why_not(part, address, downloaded);
      if (wrong.empty()) return downloaded;
      part.clear();
      if (again || !downloaded.began_with_old_bytes) {
        throw Error(ErrorKind::input, fmt::format("{}: {}; it has been removed", fetch::shown_address(address), wrong));
      }
      say(fmt::format("{}: {}; an earlier part may be to blame, starting again", entry_.name, wrong));
    }
  }

  /// Empty if what came is what was wanted.
  std::string why_not(const fetch::PartFile& part, const std::string& address,
                      const fetch::Downloaded& downloaded) const {
    if (entry_.size_bytes && *entry_.size_bytes != part.size()) {
      return fmt::format("{} bytes came, the catalogue has {}", part.size(), *entry_.size_bytes);
    }
    if (std::string wrong = contradiction(downloaded.sha256, downloaded.announced_sha256); !wrong.empty()) {
      return wrong;
    }
    if (entry_.digest.kind == PublishedDigest::Kind::announced) {
      if (downloaded.announced_sha256.empty()) {
        return "the host announces no SHA-256 (X-Linked-Etag) to hold the file against; bring it with --from FILE";
      }
      if (!is_trustworthy(address)) {
        return "what the host announces by http anyone on the way can have written; give an address of https, or bring "
               "the file with --from FILE";
      }
    }
    const bool published_there = address == entry_.address && address.starts_with("https://");
    if (checked_by(downloaded) == PublishedDigest::Kind::none && !published_there) {
      return "there is no digest to hold it against, and it does not come from its publisher by https; bring it with "
             "--from FILE";
    }
    return "";
  }

  std::string contradiction(const std::string& sha256, const std::string& announced) const {
    if (!sha256.starts_with(entry_.digest.digits)) {
      return fmt::format("does not match: its SHA-256 is {}, the catalogue has {}{}", sha256, entry_.digest.digits,
                         entry_.digest.kind == PublishedDigest::Kind::prefix ? "…" : "");
    }
    if (!announced.empty() && sha256 != announced) {
      return fmt::format("does not match: its SHA-256 is {}, the host announced {}", sha256, announced);
    }
    return "";
  }

  PublishedDigest::Kind checked_by(const fetch::Downloaded& downloaded) const {
    if (!entry_.digest.digits.empty()) return entry_.digest.kind;
    return downloaded.announced_sha256.empty() ? PublishedDigest::Kind::none : PublishedDigest::Kind::announced;
  }

  fs::path original_path() const {
    return options_.folder /
           fmt::format("{}.original.{}", entry_.name, entry_.form == "safetensors" ? "safetensors" : "pth");
  }

  void convert(const fs::path& input, const FetchedWeights& fetched) const {
    ConvertOptions conversion;
    conversion.overwrite = true;
    conversion.cancelled = options_.cancelled;
    conversion.metadata = {{"source", fetched.source}, {"source_sha256", fetched.source_sha256}};
    if (!entry_.license.empty()) conversion.metadata["license"] = entry_.license;
    if (entry_.architecture.empty()) {
      conversion.as_is = true;
      const auto file =
          std::make_shared<const weights::WeightFile>(weights::WeightFile::open(input, options_.cancelled));
      conversion.metadata["weights_sha256"] = weights::StateDict::from_file(file, options_.cancelled).sha256();
    } else {
      const Preprocessing& preprocessing = entry_.preprocessing.value();
      conversion.architecture = entry_.architecture;
      conversion.classes = class_list(entry_.classes);
      conversion.preprocessing = {preprocessing.mean,   preprocessing.deviation, preprocessing.input_size,
                                  preprocessing.resize, preprocessing.crop,      preprocessing.interpolation};
    }
    convert_weights(input, path_, conversion);
  }

  const CatalogueEntry& entry_;
  const FetchOptions& options_;
  fs::path path_;
};

}  // namespace

FetchedWeights fetch_weights(const CatalogueEntry& entry, const FetchOptions& options) {
  return Fetch(entry, options).run();
}

}  // namespace blindspot
