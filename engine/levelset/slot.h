// One place in the batch and the walk that goes on there: which stage it is in, what it is tested against, what its
// decisions were. Knows numbers only; the images lie in slot_arrays.h. Uses the public headers only.
#pragma once

#include <array>
#include <cstdint>

#include "blindspot/walk.h"

namespace blindspot::levelset {

/// What the next forward pass of a slot is for: nothing, p₀ on the clean source, the noised start, a candidate x'.
enum class Stage : std::uint8_t { empty, source, start, walking };

class Slot {
 public:
  /// Takes pair `number`. What is passed must outlive the walk.
  void begin(std::size_t number, const WalkPair& pair, const WalkParameters& parameters, const WalkOptions& options);
  /// Empties the slot and hands over what its walk has gathered.
  WalkResult finish();

  Stage stage() const { return stage_; }
  std::size_t pair_number() const { return pair_number_; }
  const WalkPair& pair() const { return *pair_; }
  /// The class whose probability is walked on, and the target's; zeros while the slot is empty.
  std::array<std::int32_t, 2> classes() const;
  /// Updates done, of this walk.
  std::int64_t iteration() const { return iteration_; }
  /// True while the next forward pass is of x itself, not of a candidate.
  bool held() const { return stage_ != Stage::walking; }
  /// What the device's acceptance test (threshold − p < δ) starts from: p₀; −∞ where the start must be taken, +∞ where
  /// nothing may be.
  float threshold() const;
  /// Whether the gradient at the point just judged will be needed: it was taken, and a step is yet to come.
  bool wants_gradient(bool accepted) const;

  /// Takes in what the forward pass said of the point, and the device's decision; moves on to the next stage.
  void judge(float probability, float target_probability, bool accepted);

  /// Judgements until there is something to see, when each may be taken in without a look at the image: at least 1.
  std::int64_t rounds_to_see() const;

  // What there is to see after a judgement; p and p_t of the current x follow.
  bool source_seen() const { return stage_ == Stage::start; }
  bool start_seen() const { return stage_ == Stage::walking && iteration_ == 0; }
  bool traced() const;  ///< x belongs into first_images
  bool record_due()
      const;  ///< before the update of iterations i with i mod record_every = 0; standard: the last state too
  bool done() const { return stage_ == Stage::walking && iteration_ == parameters_->iterations; }
  std::array<float, 2> probabilities() const { return {probability_, target_probability_}; }

  /// Where records and images of this walk are gathered.
  WalkResult& result() { return result_; }

 private:
  Stage stage_ = Stage::empty;
  std::size_t pair_number_ = 0;
  const WalkPair* pair_ = nullptr;
  const WalkParameters* parameters_ = nullptr;
  const WalkOptions* options_ = nullptr;
  std::int64_t iteration_ = 0;
  float source_probability_ = 0;  // p₀ in the network's own precision, which decides; the result's may be recomputed
  float probability_ = 0;
  float target_probability_ = 0;
  WalkResult result_;
};

}  // namespace blindspot::levelset
