// How far a walk, a measure or a download is, on stderr: a bar on a terminal, a plain line now and then elsewhere. Uses
// evaluation.h and fetch.h of the public interface and the clock.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "blindspot/evaluation.h"
#include "blindspot/fetch.h"

namespace blindspot::tools {

class ProgressDisplay {
 public:
  /// `quiet`: says nothing. Whether stderr is a terminal is asked once.
  explicit ProgressDisplay(bool quiet);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  /// Ends the line that a bar stands on.
  ~ProgressDisplay();

  /// Redraws the bar (at most ten times a second) or prints a line (after 5 s, then every 10 s). Works may take turns:
  /// the rate and the time left of each are those of its own turns.
  void show(const WalkProgress& progress);
  /// The same for an evaluation. What is left counts its walks and its path widths; until some of these were measured,
  /// one is taken to last as long as its forward passes.
  void show(const EvaluationProgress& progress);
  /// The same for a download of `name`; without a bar where its size is not known.
  void show(const std::string& name, const FetchProgress& progress);
  /// The same for work of which no more than the share that is done is known, from 0 to 1.
  void show(const std::string& name, double share);
  /// A line of its own; a bar is cleared first.
  void message(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  /// How much was done in how much time.
  struct Pace {
    double amount = 0, seconds = 0;
  };

  /// Of a work of which so much is done now: what a second brings, over those looks at it that followed each other.
  double rate(const std::string& name, double done);
  /// The same without looking: 0 where it is not known yet.
  double known_rate(const std::string& name) const;
  /// Nothing where it is not known yet.
  std::optional<double> seconds_left(const EvaluationProgress& progress) const;
  /// Whether the next line is due; if so, when the one after it is.
  bool is_due();
  /// `share`: of the whole, from 0 to 1; nothing if that is not known.
  void draw(std::optional<double> share, const std::string& text);
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void clear_bar();

  bool quiet_;
  bool terminal_;
  bool bar_shown_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
  std::map<std::string, Pace> paces_;
  std::string last_name_;
  double last_done_ = 0;
  Clock::time_point last_look_;
};

}  // namespace blindspot::tools
