// One request for a file, or for what is left of it, by libcurl: redirects, proxies, stalls, cancellation. Knows
// nothing of files on disk and tries nothing twice. Sees error.h and stopping.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "blindspot/stopping.h"

namespace blindspot::fetch {

struct TransferRequest {
  std::string address;         ///< http or https; from https only https is followed
  std::uint64_t offset = 0;    ///< not 0: the bytes from here on are asked for
  std::string validator;       ///< sent as If-Range with an offset, unless empty
  std::chrono::seconds stall;  ///< without a byte for so long, the connection is given up
};

/// What the answer's head says, redirects followed.
struct TransferHead {
  long status = 0;
  std::uint64_t begin = 0;             ///< where in the file the first byte of the body belongs
  std::optional<std::uint64_t> total;  ///< bytes of the whole file
  std::string validator;               ///< a strong ETag, else Last-Modified, else empty
  std::string announced_sha256;        ///< X-Linked-Etag of the first answer of all; empty if it is no SHA-256
};

struct TransferHandlers {
  std::function<void(const TransferHead&)> head;          ///< before the first byte, also where none follows
  std::function<void(std::span<const std::byte>)> bytes;  ///< the body, in order
  std::function<void()> waiting;                          ///< about once a second or more often
  Cancelled cancelled;
};

struct TransferResult {
  enum class Kind : std::uint8_t {
    complete,
    beyond_end,  ///< status 416: there is nothing from the offset on
    cut_off,     ///< another attempt may do better
    refused      ///< it would not
  };
  Kind kind = Kind::complete;
  std::string reason;  ///< why not complete, as a part of a sentence; names the last address that was asked
};

/// An address as it may stand in messages and files: without a query, which may be a signature, and without a user's
/// name and password.
std::string shown_address(std::string address);

/// What handlers throw comes out of this; Stopped if `cancelled` says so. Throws Error(fault) if libcurl cannot be
/// used.
TransferResult transfer(const TransferRequest& request, const TransferHandlers& handlers);

}  // namespace blindspot::fetch
