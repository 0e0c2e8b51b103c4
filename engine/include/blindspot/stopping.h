// How long work is told to end early. Every floor may include this header; it uses the standard library only.
#pragma once

#include <exception>
#include <functional>

#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// Asked between pieces of long work that take well under a second each; true: it should end. Empty: never.
using Cancelled = std::function<bool()>;

/// Thrown by work that was told to end. Not an Error: nothing went wrong.
class Stopped : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped"; }
};

inline void stop_if(const Cancelled& cancelled) {
  if (cancelled && cancelled()) throw Stopped();
}

}  // namespace blindspot
