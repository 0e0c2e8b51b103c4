// Implementation of progress.h.
#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace blindspot::tools {

namespace {

constexpr int bar_width = 28;

std::string time_left(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<long>(seconds / 60);
  if (minutes < 100) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

}  // namespace

ProgressDisplay::ProgressDisplay(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  next_ = start_ + (terminal_ ? std::chrono::milliseconds(0) : std::chrono::seconds(5));
}

ProgressDisplay::~ProgressDisplay() {
  clear_bar();
}

void ProgressDisplay::show(const WalkProgress& progress) {
  const Clock::time_point now = Clock::now();
  if (quiet_ || now < next_ || progress.iterations == 0) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10));
  const std::string text = describe(progress, std::chrono::duration<double>(now - start_).count());
  if (!terminal_) {
    std::cerr << text << '\n';
    return;
  }
  const double share = static_cast<double>(progress.iterations_done) / static_cast<double>(progress.iterations);
  const int filled = std::clamp(static_cast<int>(share * bar_width), 0, bar_width);
  std::cerr << fmt::format("\r[{:#<{}}{:-<{}}] {}\x1b[K", "", filled, "", bar_width - filled, text) << std::flush;
  bar_shown_ = true;
}

void ProgressDisplay::message(const std::string& text) {
  if (quiet_) return;
  clear_bar();
  std::cerr << text << '\n';
}

std::string ProgressDisplay::describe(const WalkProgress& progress, double seconds) const {
  const auto done = static_cast<double>(progress.iterations_done);
  const auto all = static_cast<double>(progress.iterations);
  std::string text = fmt::format("{:.0f} %, {} of {} pairs", 100 * done / all, progress.pairs_done, progress.pairs);
  if (progress.iterations_done > 0 && seconds > 0) {
    const double rate = done / seconds;
    text +=
        fmt::format(", {:.{}f} image-iterations/s, {} left", rate, rate < 10 ? 1 : 0, time_left((all - done) / rate));
  }
  return text;
}

void ProgressDisplay::clear_bar() {
  if (bar_shown_) std::cerr << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

}  // namespace blindspot::tools
