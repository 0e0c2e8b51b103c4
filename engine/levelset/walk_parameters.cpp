// The presets of a walk and the ranges of its parameters; messages name the options of the command line. Uses the
// standard library and fmt.
#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "blindspot/error.h"
#include "blindspot/walk.h"

namespace blindspot {
namespace {

template <typename Value>
void require(bool holds, std::string_view option, Value value, std::string_view range) {
  if (!holds) throw Error(ErrorKind::usage, fmt::format("{} {}: must be {}", option, value, range));
}

}  // namespace

WalkParameters WalkParameters::authors_default() {
  WalkParameters parameters;
  parameters.step_size = 0.05F;
  parameters.iterations = 100;
  parameters.delta = 0.05F;
  parameters.adversarial = false;
  parameters.adversarial_step = static_cast<float>(1.0 / 255.0);
  return parameters;
}

void WalkParameters::check() const {
  require(std::isfinite(step_size) && step_size > 0, "--step-size", step_size, "a finite number above 0");
  require(iterations >= 0, "--iterations", iterations, "0 or more");
  require(delta >= 0 && delta <= 1, "--delta", delta, "between 0 and 1");
  require(std::isfinite(adversarial_step) && adversarial_step >= 0, "--adversarial-step", adversarial_step,
          "a finite number, 0 or more");
  require(record_every >= 1, "--record-every", record_every, "1 or more");
}

}  // namespace blindspot
