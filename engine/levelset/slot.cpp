// The decisions of one walk, iteration by iteration, apart from all arrays. Uses the standard library only.
#include "engine/levelset/slot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace blindspot::levelset {

void Slot::begin(std::size_t number, const WalkPair& pair, const WalkParameters& parameters,
                 const WalkOptions& options) {
  stage_ = Stage::source;
  pair_number_ = number;
  pair_ = &pair;
  parameters_ = &parameters;
  options_ = &options;
  iteration_ = 0;
  result_ = WalkResult{};
  if (options.keep_trace) {
    result_.decisions.reserve(static_cast<std::size_t>(parameters.iterations));
    result_.candidate_probabilities.reserve(static_cast<std::size_t>(parameters.iterations));
  }
}

WalkResult Slot::finish() {
  stage_ = Stage::empty;
  pair_ = nullptr;
  return std::move(result_);
}

std::array<std::int32_t, 2> Slot::classes() const {
  if (stage_ == Stage::empty) return {0, 0};
  return {pair_->source_class, pair_->target_class};
}

float Slot::threshold() const {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  switch (stage_) {
    case Stage::walking:
      return source_probability_;
    case Stage::start:
      return -infinity;
    default:
      return infinity;
  }
}

bool Slot::wants_gradient(bool accepted) const {
  switch (stage_) {
    case Stage::start:
      return parameters_->iterations > 0;
    case Stage::walking:
      return accepted && iteration_ + 1 < parameters_->iterations;
    default:
      return false;
  }
}

void Slot::judge(float probability, float target_probability, bool accepted) {
  switch (stage_) {
    case Stage::empty:
      return;
    case Stage::source:
      source_probability_ = probability;
      stage_ = Stage::start;
      break;
    case Stage::start:
      stage_ = Stage::walking;
      break;
    case Stage::walking:
      ++iteration_;
      ++(accepted ? result_.accepted : result_.rejected);
      if (options_->keep_trace) {
        result_.decisions.push_back(accepted ? 1 : 0);
        result_.candidate_probabilities.push_back(probability);
      }
      // The authors' x ← x·0 + … keeps a refused NaN: x is NaN from here on, and so is what the network says of it.
      const bool poisoned = parameters_->mode == WalkMode::reference && std::isnan(probability);
      if (!accepted && !poisoned) return;
      break;
  }
  probability_ = probability;
  target_probability_ = target_probability;
}

std::int64_t Slot::rounds_to_see() const {
  if (stage_ != Stage::walking) return 1;
  if (options_->keep_trace && iteration_ < options_->trace_images) return 1;
  return std::min(parameters_->iterations - iteration_,
                  parameters_->record_every - iteration_ % parameters_->record_every);
}

bool Slot::traced() const {
  return options_->keep_trace && stage_ == Stage::walking && iteration_ >= 1 && iteration_ <= options_->trace_images;
}

bool Slot::record_due() const {
  if (stage_ != Stage::walking) return false;
  if (done()) return parameters_->mode == WalkMode::standard;
  return iteration_ % parameters_->record_every == 0;
}

}  // namespace blindspot::levelset
