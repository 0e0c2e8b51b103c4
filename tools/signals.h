// SIGINT, SIGTERM and SIGHUP as a question that the work asks between two steps, instead of an end in mid-air. Uses
// stopping.h of the public interface and POSIX signals.
#pragma once

#include <array>
#include <csignal>

#include "blindspot/stopping.h"

namespace blindspot::tools {

/// While one lives, the first SIGINT or SIGTERM is remembered; a second one ends the process as usual. So is SIGHUP,
/// which a terminal that closes sends more than once; where it is ignored, as under nohup, it stays so. One at a time.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  bool requested() const;
  /// The same as a function to hand on; valid as long as this lives.
  Cancelled cancelled() const {
    return [this] { return requested(); };
  }
  /// 128 + the signal's number: what a shell expects of a program that a signal has ended.
  int exit_code() const;

 private:
  static constexpr std::array<int, 3> signals{SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, signals.size()> previous_{};
};

}  // namespace blindspot::tools
