// A whole file by as many requests as it takes: goes on where it was cut off, and hashes while it writes. Sees
// curl_transfer.h, part_file.h and weights (SHA-256).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "blindspot/stopping.h"
#include "engine/fetch/part_file.h"

namespace blindspot::fetch {

struct DownloadRequest {
  std::string address;
  std::optional<std::uint64_t> size;     ///< bytes, where they are known: another size is refused before it is fetched
  std::uint64_t extra_bytes_needed = 0;  ///< that will be wanted on the same disk when the file is there, for each byte
  std::chrono::seconds stall{30};
  int retries = 4;
  Cancelled cancelled;
  std::function<void(std::uint64_t done, std::optional<std::uint64_t> total, std::uint64_t before)> progress;
  std::function<void(const std::string&)> message;
};

struct Downloaded {
  std::string sha256;                 ///< of the whole part
  std::string announced_sha256;       ///< as the host said; may be empty
  bool began_with_old_bytes = false;  ///< an earlier process had brought some of it
};

/// Fills `part`. Throws Error(input) where that cannot be done: what is there then stays for the next time; Stopped.
Downloaded download(PartFile& part, const DownloadRequest& request);

/// "97.8 MB"
std::string size_text(std::uint64_t bytes);

}  // namespace blindspot::fetch
