// The one exception type of blindspot. Every floor may include this header; it uses the standard library only. What the
// headers of this folder declare is what the shared library exports, hence the attribute on their namespace.
#pragma once

#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// What went wrong, as the exit code that the command line gives for it.
enum class ErrorKind {
  fault = 1,   ///< a fault of ours
  usage = 2,   ///< an option or argument that cannot be right
  input = 3,   ///< a bad or missing file, or an output path that cannot be written
  device = 4,  ///< no such device, device lost, out of memory
};

/// Thrown for everything that goes wrong. The message is one line that names the file, tensor or option and says what
/// to do about it.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// An Error(device): less memory may do.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(ErrorKind::device, message) {}
};

/// Whose fault a failed call of the system is: the device's for want of memory or threads, else the input's.
inline ErrorKind kind_of(const std::error_code& code) noexcept {
  const bool less_may_do = code == std::errc::not_enough_memory || code == std::errc::resource_unavailable_try_again;
  return less_may_do ? ErrorKind::device : ErrorKind::input;
}

/// Throws std::bad_alloc where a call failed because memory was short: that is no fault of a file's.
inline void refuse_short_memory(const std::error_code& code) {
  if (code == std::errc::not_enough_memory) throw std::bad_alloc();
}

/// What the system says of a call that failed, for a message. Throws std::bad_alloc where memory was short.
inline std::string reason_of(const std::error_code& code) {
  refuse_short_memory(code);
  return code.message();
}

}  // namespace blindspot
