// How far a walk is, on stderr: a bar on a terminal, a plain line now and then elsewhere. Uses walk.h of the public
// interface and the clock.
#pragma once

#include <chrono>
#include <string>

#include "blindspot/walk.h"

namespace blindspot::tools {

class ProgressDisplay {
 public:
  /// `quiet`: says nothing. Whether stderr is a terminal is asked once.
  explicit ProgressDisplay(bool quiet);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  /// Ends the line that a bar stands on.
  ~ProgressDisplay();

  /// Redraws the bar (at most ten times a second) or prints a line (after 5 s, then every 10 s).
  void show(const WalkProgress& progress);
  /// A line of its own; a bar is cleared first.
  void message(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;

  std::string describe(const WalkProgress& progress, double seconds) const;
  void clear_bar();

  bool quiet_;
  bool terminal_;
  bool bar_shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace blindspot::tools
