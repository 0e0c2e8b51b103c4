// Implementation of progress.h.
#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "blindspot/one_line.h"
#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

constexpr int bar_width = 28;
constexpr const char* pace_of_walks = "walks";
constexpr const char* pace_of_widths = "path widths";

std::string time_left(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<long>(seconds / 60);
  if (minutes < 100) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

/// ", 5 s left"; nothing where that is not known yet.
std::string left_text(std::optional<double> seconds) {
  return seconds ? fmt::format(", {} left", time_left(*seconds)) : "";
}

/// `rate`: image-iterations a second; 0: not known yet. `seconds`: that are left.
std::string walk_text(const EvaluationProgress& progress, double rate, std::optional<double> seconds) {
  std::string text =
      fmt::format("{:.0f} %, {} of {}",
                  100 * static_cast<double>(progress.iterations_done) / static_cast<double>(progress.iterations),
                  progress.pairs_done, counted(progress.pairs, "pair"));
  if (rate > 0) text += fmt::format(", {:.{}f} image-iterations/s", rate, rate < 10 ? 1 : 0) + left_text(seconds);
  return text;
}

/// `rate`: of the whole, a second; 0: not known yet.
std::string share_text(double share, double rate) {
  std::string text = fmt::format("{:.0f} %", 100 * share);
  if (rate > 0) text += left_text((1 - share) / rate);
  return text;
}

std::string fetch_text(const FetchProgress& progress, double seconds) {
  constexpr double megabyte = 1e6;
  const auto done = static_cast<double>(progress.bytes_done);
  std::string text = fmt::format("{:.1f} MB", done / megabyte);
  if (progress.bytes)
    text = fmt::format("{:.1f} of {:.1f} MB", done / megabyte, static_cast<double>(*progress.bytes) / megabyte);
  const double rate = (done - static_cast<double>(progress.bytes_before)) / std::max(seconds, 1e-3);
  if (rate <= 0) return text;
  text += fmt::format(", {:.1f} MB/s", rate / megabyte);
  if (progress.bytes) text += left_text((static_cast<double>(*progress.bytes) - done) / rate);
  return text;
}

}  // namespace

ProgressDisplay::ProgressDisplay(bool quiet)
    : quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      next_(start_ + (terminal_ ? std::chrono::milliseconds(0) : std::chrono::seconds(5))) {}

ProgressDisplay::~ProgressDisplay() {
  clear_bar();
}

double ProgressDisplay::rate(const std::string& name, double done) {
  const Clock::time_point now = Clock::now();
  Pace& pace = paces_[name];
  if (name == last_name_) {
    pace.amount += done - last_done_;
    pace.seconds += std::chrono::duration<double>(now - last_look_).count();
  }
  last_name_ = name;
  last_done_ = done;
  last_look_ = now;
  return known_rate(name);
}

double ProgressDisplay::known_rate(const std::string& name) const {
  const auto pace = paces_.find(name);
  return pace != paces_.end() && pace->second.seconds > 0 ? pace->second.amount / pace->second.seconds : 0;
}

std::optional<double> ProgressDisplay::seconds_left(const EvaluationProgress& progress) const {
  // A step of a walk is a forward pass and an input gradient, which costs two.
  constexpr double passes_of_step = 3;
  const auto steps = static_cast<double>(progress.iterations - progress.iterations_done);
  const double steps_a_second = known_rate(pace_of_walks);
  double widths_a_second = known_rate(pace_of_widths);
  if (widths_a_second <= 0) {
    widths_a_second =
        passes_of_step * steps_a_second / static_cast<double>(std::max<std::int64_t>(progress.passes_of_width, 1));
  }
  double seconds = 0;
  for (const auto& [left, rate] :
       {std::pair(steps, steps_a_second), std::pair(progress.widths_left, widths_a_second)}) {
    if (left <= 0) continue;
    if (rate <= 0) return std::nullopt;
    seconds += left / rate;
  }
  return seconds;
}

void ProgressDisplay::show(const WalkProgress& progress) {
  EvaluationProgress walks_alone;
  walks_alone.pairs_done = progress.pairs_done;
  walks_alone.pairs = progress.pairs;
  walks_alone.iterations_done = progress.iterations_done;
  walks_alone.iterations = progress.iterations;
  show(walks_alone);
}

void ProgressDisplay::show(const EvaluationProgress& progress) {
  if (progress.images > 0) {
    const double share = static_cast<double>(progress.images_done) / static_cast<double>(progress.images);
    show(progress.model.empty() ? "pictures read" : "pictures seen by " + one_line(progress.model), share);
    return;
  }
  if (progress.widths_done) {
    rate(pace_of_widths, -progress.widths_left);
    if (!is_due()) return;
    draw(*progress.widths_done, fmt::format("path widths of {}: {:.0f} %{}", one_line(progress.model),
                                            100 * *progress.widths_done, left_text(seconds_left(progress))));
    return;
  }
  const auto done = static_cast<double>(progress.iterations_done);
  const double iterations_a_second = rate(pace_of_walks, done);
  if (progress.iterations == 0 || !is_due()) return;
  draw(done / static_cast<double>(progress.iterations),
       walk_text(progress, iterations_a_second, seconds_left(progress)));
}

void ProgressDisplay::show(const std::string& name, const FetchProgress& progress) {
  if (!is_due()) return;
  const bool sized = progress.bytes.value_or(0) != 0;
  draw(sized ? std::optional(static_cast<double>(progress.bytes_done) / static_cast<double>(*progress.bytes))
             : std::nullopt,
       fmt::format("{}: {}", name, fetch_text(progress, seconds())));
}

void ProgressDisplay::show(const std::string& name, double share) {
  const double share_a_second = rate(name, share);
  if (is_due()) draw(share, fmt::format("{}: {}", name, share_text(share, share_a_second)));
}

bool ProgressDisplay::is_due() {
  const Clock::time_point now = Clock::now();
  if (quiet_ || now < next_) return false;
  next_ = now + (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10));
  return true;
}

void ProgressDisplay::draw(std::optional<double> share, const std::string& text) {
  if (!terminal_) {
    std::cerr << text << '\n';
    return;
  }
  const int filled = std::clamp(static_cast<int>(share.value_or(0) * bar_width), 0, bar_width);
  const std::string bar = share ? fmt::format("[{:#<{}}{:-<{}}] ", "", filled, "", bar_width - filled) : "";
  std::cerr << '\r' << bar << text << "\x1b[K" << std::flush;
  bar_shown_ = true;
}

void ProgressDisplay::message(const std::string& text) {
  if (quiet_) return;
  clear_bar();
  std::cerr << text << '\n';
}

void ProgressDisplay::clear_bar() {
  if (bar_shown_) std::cerr << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

}  // namespace blindspot::tools
