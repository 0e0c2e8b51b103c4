// Getting a catalogue's network into the weight folder: downloaded or brought, checked, converted. Part of the public
// interface, in a library of its own (blindspot_fetch), since it needs libcurl and nothing else does.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "blindspot/catalogue.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// How far a download (or the reading of a file that was brought) is.
struct FetchProgress {
  std::uint64_t bytes_done = 0;
  std::optional<std::uint64_t> bytes;  ///< in all, where the host says it
  std::uint64_t bytes_before = 0;      ///< of bytes_done, those that an earlier attempt had brought
};

struct FetchOptions {
  std::filesystem::path folder = weight_folder();
  std::filesystem::path from;      ///< not empty: this file is taken instead of a download
  std::string address;             ///< http or https; not empty: goes before the catalogue's
  std::string mirror;              ///< not empty: MIRROR/HOST/PATH is asked for the catalogue's https://HOST/PATH
  bool overwrite = false;          ///< get it anew although it is there
  bool keep_original = false;      ///< as NAME.original.ENDING beside the converted file
  std::chrono::seconds stall{30};  ///< without a byte for so long, a connection is given up
  int retries = 4;                 ///< attempts that may end without bringing much, before it is given up
  Cancelled cancelled;             ///< asked at least once a second
  std::function<void(const FetchProgress&)> progress;  ///< after each piece, and about once a second
  std::function<void(const std::string&)> message;     ///< one line for people
};

struct FetchedWeights {
  std::filesystem::path path;  ///< the safetensors file in the weight folder
  bool was_there = false;      ///< nothing was done
  std::string source;          ///< address or file name; here and below empty or 0 if it was there
  std::string source_sha256;   ///< of the published file
  std::uint64_t source_bytes = 0;
  PublishedDigest::Kind checked_by = PublishedDigest::Kind::none;  ///< which digest it was held against
};

/// Downloads to NAME.part in the folder (going on where an earlier attempt ended, which is kept for the next one when
/// this one is stopped or cut off), holds what came against the entry's digest and size, converts it to
/// NAME.safetensors and removes the original. Another process that fetches the same is waited for. What does not match
/// is removed. By http comes only what a digest in the catalogue can tell: what the host announces, and files of which
/// no digest is known, have to come by https. Throws Error(input) for what cannot be had, does not match, is no network
/// or cannot be written, Error(usage) for options that exclude each other, Stopped.
FetchedWeights fetch_weights(const CatalogueEntry& entry, const FetchOptions& options);

}  // namespace blindspot
