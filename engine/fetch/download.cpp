// Implementation of download.h.
#include "engine/fetch/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "blindspot/error.h"
#include "engine/fetch/curl_transfer.h"
#include "weights/sha256.h"

namespace blindspot::fetch {

namespace {

/// More than any file of weights that is known; an endless answer must end somewhere.
constexpr std::uint64_t largest_file = std::uint64_t{64} << 30;
/// An attempt that brought as much was a good one, and the retries count anew.
constexpr std::uint64_t much = std::uint64_t{1} << 20;
constexpr std::chrono::milliseconds first_pause{500};
constexpr std::chrono::milliseconds longest_pause{8000};

class Download {
 public:
  Download(PartFile& part, const DownloadRequest& request)
      : part_(part), request_(request), address_(shown_address(request.address)) {}

  Downloaded run() {
    take_up_part();
    Downloaded result;
    result.began_with_old_bytes = part_.size() != 0;
    before_ = part_.size();
    if (!is_whole()) bring_rest();
    result.sha256 = sha256_->hexadecimal();
    result.announced_sha256 = origin_.announced_sha256;
    return result;
  }

 private:
  /// An earlier attempt's bytes are of use if they are of the same address.
  void take_up_part() {
    const std::optional<PartOrigin> origin = part_.origin();
    if (part_.size() != 0 && (!origin || origin->address != address_)) part_.clear();
    if (part_.size() != 0) origin_ = *origin;
    origin_.address = address_;
    sha256_.emplace();
    part_.read([this](std::span<const std::byte> bytes) {
      stop_if(request_.cancelled);
      sha256_->add(bytes);
    });
  }

  /// Bytes of the whole file, as the catalogue or else the host says.
  std::optional<std::uint64_t> total() const { return request_.size ? request_.size : origin_.total; }

  bool is_whole() const { return part_.size() != 0 && total() == part_.size(); }

  void bring_rest() {
    int attempts_left = request_.retries;
    std::chrono::milliseconds pause = first_pause;
    for (;;) {
      const std::uint64_t had = part_.size();
      const TransferResult result = attempt();
      switch (result.kind) {
        case TransferResult::Kind::complete:
          if (!origin_.total || (part_.size() != 0 && origin_.total == part_.size())) return;
          break;
        case TransferResult::Kind::beyond_end:
          // Nothing follows what is there: either it is the whole, which its digest tells, or the file has changed.
          if (is_whole()) return;
          start_again();
          break;
        case TransferResult::Kind::cut_off:
          break;
        case TransferResult::Kind::refused:
          refuse(result.reason);
      }
      if (part_.size() >= had + much) {
        attempts_left = request_.retries;
        pause = first_pause;
      }
      const std::string reason =
          result.reason.empty() ? fmt::format("{}: the answer ended too early", address_) : result.reason;
      if (attempts_left-- <= 0) refuse(reason);
      request_.message(fmt::format("{}; trying again", reason));
      wait(pause);
      pause = std::min(2 * pause, longest_pause);
    }
  }

  TransferResult attempt() {
    const TransferRequest request{request_.address, part_.size(), origin_.validator, request_.stall};
    TransferHandlers handlers;
    handlers.head = [this](const TransferHead& head) { take_head(head); };
    handlers.bytes = [this](std::span<const std::byte> bytes) { take_bytes(bytes); };
    handlers.waiting = [this] { request_.progress(part_.size(), total(), before_); };
    handlers.cancelled = request_.cancelled;
    return transfer(request, handlers);
  }

  void take_head(const TransferHead& head) {
    if (head.begin != part_.size()) {
      if (head.begin != 0) {
        refuse(fmt::format("{} answers with bytes from {} on where those from {} were asked for", address_, head.begin,
                           part_.size()));
      }
      // The host does not do parts, or the file is another one by now.
      start_again();
    }
    if (head.total && request_.size && *head.total != *request_.size) {
      refuse(fmt::format("{} offers {} bytes, the catalogue has {}", address_, *head.total, *request_.size));
    }
    if (head.total.value_or(0) > largest_file) {
      refuse(fmt::format("{} offers {}, more than any file of weights", address_, size_text(*head.total)));
    }
    origin_.total = head.total;
    origin_.validator = head.validator;
    if (!head.announced_sha256.empty()) origin_.announced_sha256 = head.announced_sha256;
    check_room();
    part_.remember(origin_);
  }

  void check_room() const {
    const std::optional<std::uint64_t> whole = total();
    if (!whole) return;
    const std::uint64_t needed = *whole - std::min(*whole, part_.size()) + *whole * request_.extra_bytes_needed;
    const std::optional<std::uint64_t> free = bytes_free(part_.path().parent_path());
    if (!free || *free >= needed) return;
    throw Error(ErrorKind::input, fmt::format("{}: the disk is too full: {} are needed, {} are free",
                                              part_.path().string(), size_text(needed), size_text(*free)));
  }

  void take_bytes(std::span<const std::byte> bytes) {
    const std::uint64_t most = total().value_or(largest_file);
    if (bytes.size() > most - std::min(most, part_.size())) {
      const std::string reason =
          fmt::format("{} sends more than the {} bytes {}: {} have come", address_, most,
                      request_.size ? "that the catalogue has" : "there should be", part_.size() + bytes.size());
      start_again();
      refuse(reason);
    }
    try {
      part_.append(bytes);
    } catch (const Error& error) {
      throw Error(ErrorKind::input, total() ? fmt::format("{} ({} in all)", error.what(), size_text(*total()))
                                            : fmt::format("{} (after {})", error.what(), size_text(part_.size())));
    }
    sha256_->add(bytes);
  }

  void start_again() {
    part_.clear();
    sha256_.emplace();
    before_ = 0;
    origin_ = {address_, "", "", std::nullopt};
  }

  void wait(std::chrono::milliseconds pause) const {
    constexpr std::chrono::milliseconds step{50};
    for (std::chrono::milliseconds waited{0}; waited < pause; waited += step) {
      stop_if(request_.cancelled);
      std::this_thread::sleep_for(step);
    }
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(ErrorKind::input, part_.size() == 0
                                      ? reason
                                      : fmt::format("{}; {} are kept, and the same command goes on from there", reason,
                                                    size_text(part_.size())));
  }

  PartFile& part_;
  const DownloadRequest& request_;
  std::string address_;  ///< as it may be told and kept
  PartOrigin origin_;
  std::optional<weights::Sha256> sha256_;
  std::uint64_t before_ = 0;
};

}  // namespace

Downloaded download(PartFile& part, const DownloadRequest& request) {
  return Download(part, request).run();
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  const auto size = static_cast<double>(bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", size / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", size / 1e6);
  return fmt::format("{:.2f} GB", size / 1e9);
}

}  // namespace blindspot::fetch
