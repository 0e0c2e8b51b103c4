// The catalogue of published weights: what there is, where it lies, what it is told by, how its input is made; and the
// folder in which networks are found by name. Part of the public interface; uses the standard library only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// What tells a published file from any other.
struct PublishedDigest {
  enum class Kind : std::uint8_t {
    none,      ///< nothing is known
    sha256,    ///< all 64 digits
    prefix,    ///< the first digits, as they stand in the file's name
    announced  ///< the host says it with the file (X-Linked-Etag)
  };
  Kind kind = Kind::none;
  std::string digits;  ///< lower-case hexadecimal; of `sha256` and `prefix`
};

/// One published file of weights.
struct CatalogueEntry {
  std::string name;  ///< letters, digits, `.`, `_`, `-`; the file in the weight folder is NAME.safetensors
  std::vector<std::string> aliases;
  std::string architecture;  ///< as --architecture takes it; empty: tensors that are no network
  std::string address;       ///< https or http; empty: none is known, the file has to be brought
  std::string form;          ///< "pytorch" or "safetensors"
  PublishedDigest digest;
  std::optional<std::uint64_t> size_bytes;  ///< of the published file
  std::string license;                      ///< SPDX; empty: unknown
  std::optional<Preprocessing> preprocessing;
  std::string classes;                  ///< a list that class_list knows; empty: none
  std::vector<std::string> companions;  ///< what lies beside the weights and is left out
  bool verified = false;                ///< a copy of the published file has been seen whole, and `digest` is its own
  std::string note;
};

class Catalogue {
 public:
  /// The one that is compiled in; read once, when it is first asked for.
  static const Catalogue& built_in();
  /// Another of the same form (weights/catalogue/catalogue.json). Throws Error(input) that names file, entry and key.
  static Catalogue read(const std::filesystem::path& path);

  const std::vector<CatalogueEntry>& entries() const { return entries_; }
  /// By name or alias; null if there is none. Valid as long as the catalogue.
  const CatalogueEntry* find(std::string_view name) const;
  /// The entry that a published file of this SHA-256 belongs to: all digits, or the prefix that is known. Null: none.
  const CatalogueEntry* find_sha256(std::string_view sha256) const;

 private:
  explicit Catalogue(std::vector<CatalogueEntry> entries) : entries_(std::move(entries)) {}

  std::vector<CatalogueEntry> entries_;
};

/// Class names in the order of the classes, of "imagenet" or "cifar10"; empty for any other name.
std::vector<std::string> class_list(std::string_view name);

/// $BLINDSPOT_WEIGHTS, else blindspot/weights in the XDG data folder. It need not exist.
std::filesystem::path weight_folder();
/// What stands for `name` in `folder`: NAME.safetensors, NAME.pth, NAME.pt, NAME.th or the folder NAME; empty: nothing.
std::filesystem::path find_weights(const std::filesystem::path& folder, const std::string& name);

/// What a file in the weight folder is worth.
struct WeightCheck {
  enum class State : std::uint8_t {
    good,       ///< every digest that is known of it is its own
    different,  ///< it does not match; `detail` says what
    unknown,    ///< readable, but there is nothing to hold it against
    absent
  };
  State state = State::absent;
  std::filesystem::path path;  ///< empty if absent
  std::string detail;          ///< one line for people
  std::string source_sha256;   ///< of the published file; empty where nothing tells it
  std::string
      weights_sha256;  ///< of the tensors as they are now; empty for a published file or one that cannot be read
};
/// Reads the file of `entry` in `folder` anew: a published file is held against the catalogue's digest; a converted one
/// against the digests in its metadata, that of its source against the catalogue's. Throws Stopped only.
WeightCheck check_weights(const CatalogueEntry& entry, const std::filesystem::path& folder,
                          const Cancelled& cancelled = {});

}  // namespace blindspot
