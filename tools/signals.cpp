// Implementation of signals.h.
#include "tools/signals.h"

namespace blindspot::tools {

namespace {

/// A handler can reach nothing but static storage; this is all it touches.
volatile std::sig_atomic_t& received_signal() {
  static volatile std::sig_atomic_t signal = 0;
  return signal;
}

extern "C" void remember_signal(int number) {
  received_signal() = number;
}

}  // namespace

StopSignals::StopSignals() {
  received_signal() = 0;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    sigaction(signals[i], nullptr, &previous_[i]);
    if (signals[i] == SIGHUP && previous_[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = remember_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    // Back to the default after the first, so that a second Ctrl-C ends what does not want to end.
    if (signals[i] != SIGHUP) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    sigaction(signals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < signals.size(); ++i) {
    // A further hangup of a closing terminal may come while the program ends.
    if (signals[i] == SIGHUP && received_signal() != 0) continue;
    sigaction(signals[i], &previous_[i], nullptr);
  }
}

bool StopSignals::requested() const {
  return received_signal() != 0;
}

int StopSignals::exit_code() const {
  return 128 + received_signal();
}

}  // namespace blindspot::tools
