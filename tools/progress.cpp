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

std::string walk_text(const WalkProgress& progress, double seconds) {
  const auto done = static_cast<double>(progress.iterations_done);
  const auto all = static_cast<double>(progress.iterations);
  std::string text =
      fmt::format("{:.0f} %, {} of {}", 100 * done / all, progress.pairs_done, counted(progress.pairs, "pair"));
  if (progress.iterations_done > 0 && seconds > 0) {
    const double rate = done / seconds;
    text +=
        fmt::format(", {:.{}f} image-iterations/s, {} left", rate, rate < 10 ? 1 : 0, time_left((all - done) / rate));
  }
  return text;
}

std::string share_text(double share, double seconds) {
  std::string text = fmt::format("{:.0f} %", 100 * share);
  if (share > 0) text += fmt::format(", {} left", time_left(seconds * (1 - share) / share));
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

ProgressDisplay::ProgressDisplay(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  start_clock();
}

ProgressDisplay::~ProgressDisplay() {
  clear_bar();
}

void ProgressDisplay::start_clock() {
  start_ = Clock::now();
  next_ = start_ + (terminal_ ? std::chrono::milliseconds(0) : std::chrono::seconds(5));
}

void ProgressDisplay::begin(const std::string& name) {
  start_clock();
  message(name);
}

void ProgressDisplay::show(const WalkProgress& progress) {
  if (progress.iterations == 0 || !is_due()) return;
  draw(static_cast<double>(progress.iterations_done) / static_cast<double>(progress.iterations),
       walk_text(progress, seconds()));
}

void ProgressDisplay::show(const std::string& name, const FetchProgress& progress) {
  if (!is_due()) return;
  const bool sized = progress.bytes.value_or(0) != 0;
  draw(sized ? std::optional(static_cast<double>(progress.bytes_done) / static_cast<double>(*progress.bytes))
             : std::nullopt,
       fmt::format("{}: {}", name, fetch_text(progress, seconds())));
}

void ProgressDisplay::show(const std::string& name, double share) {
  if (!is_due()) return;
  draw(share, fmt::format("{}: {}", name, share_text(share, seconds())));
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
