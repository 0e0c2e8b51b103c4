// SHA-256 by OpenSSL's EVP interface. Uses libcrypto.
#include "weights/sha256.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <new>

#include "blindspot/error.h"

namespace blindspot::weights {
namespace {

EVP_MD_CTX* digest_context(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

void require(int success) {
  if (success == 1) return;
  const bool memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
  ERR_clear_error();
  if (memory) throw std::bad_alloc();
  throw Error(ErrorKind::fault, "OpenSSL does not compute SHA-256");
}

}  // namespace

void Sha256::ContextDeleter::operator()(void* context) const noexcept {
  EVP_MD_CTX_free(digest_context(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr ? EVP_DigestInit_ex(digest_context(context_.get()), EVP_sha256(), nullptr) : 0);
}

void Sha256::add(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(digest_context(context_.get()), bytes.data(), bytes.size()));
}

std::string Sha256::hexadecimal() {
  std::array<unsigned char, 32> digest{};
  require(EVP_DigestFinal_ex(digest_context(context_.get()), digest.data(), nullptr));
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace blindspot::weights
