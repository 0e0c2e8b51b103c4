// Implementation of progress.h.
#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

constexpr int bar_width = 28;

std::string time_left(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<long>(seconds / 60);
  if (minutes < 100) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

/// `rate`: image-iterations a second; 0: not known yet.
std::string walk_text(const WalkProgress& progress, double rate) {
  const auto done = static_cast<double>(progress.iterations_done);
  const auto all = static_cast<double>(progress.iterations);
  std::string text =
      fmt::format("{:.0f} %, {} of {}", 100 * done / all, progress.pairs_done, counted(progress.pairs, "pair"));
  if (rate > 0) {
    text +=
        fmt::format(", {:.{}f} image-iterations/s, {} left", rate, rate < 10 ? 1 : 0, time_left((all - done) / rate));
  }
  return text;
}

/// `rate`: of the whole, a second; 0: not known yet.
std::string share_text(double share, double rate) {
  std::string text = fmt::format("{:.0f} %", 100 * share);
  if (rate > 0) text += fmt::format(", {} left", time_left((1 - share) / rate));
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
  if (progress.bytes) text += fmt::format(", {} left", time_left((static_cast<double>(*progress.bytes) - done) / rate));
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
  return pace.seconds > 0 ? pace.amount / pace.seconds : 0;
}

void ProgressDisplay::show(const WalkProgress& progress) {
  const auto done = static_cast<double>(progress.iterations_done);
  const double iterations_a_second = rate("walks", done);
  if (progress.iterations == 0 || !is_due()) return;
  draw(done / static_cast<double>(progress.iterations), walk_text(progress, iterations_a_second));
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
