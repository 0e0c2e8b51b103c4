// SHA-256, fed in pieces. Uses OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace blindspot::weights {

class Sha256 {
 public:
  Sha256();
  void add(std::span<const std::byte> bytes);
  /// The digest of everything added, 64 lower-case hexadecimal digits. Once.
  std::string hexadecimal();

 private:
  struct ContextDeleter {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, ContextDeleter> context_;
};

}  // namespace blindspot::weights
