// The device's side of the slots: images, targets, gradients and adversarial steps of all walks, and the passes through
// the network, a slice of network.batch() slots at a time. Uses Network and Device; decides nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/networks/network.h"

namespace blindspot::levelset {

/// What is the same in every round of a run.
struct RoundRules {
  StepDescription step;
  float delta = 0;  ///< a candidate is taken iff threshold − p < delta, strictly, in float32
};

/// What the forward pass of one slice said; one value a slot, `accepted` as 0 or 1, valid until the next judgement.
struct SliceJudgement {
  std::span<const float> probability, target_probability, accepted;
};

/// Memory is taken when made, and none in an iteration. Empty slots hold a grey image that stays where it is.
class SlotArrays {
 public:
  /// `slots` rounded up to whole slices.
  SlotArrays(Network& network, Device& device, std::int64_t slots, const RoundRules& rules);

  std::int64_t slice_size() const { return slice_size_; }
  std::int64_t slices() const { return slices_; }

  /// x and t of a slot, both [3, H, W]; its J and A become zero.
  void place(std::int64_t slot, std::span<const float> image, std::span<const float> target);
  /// Grey, standing still.
  void clear(std::int64_t slot);
  void set_image(std::int64_t slot, std::span<const float> image);
  void read_image(std::int64_t slot, std::span<float> image);
  /// Per slot: p₀ for the acceptance test, the two classes, and whether its candidate is x itself (0 or 1). One value
  /// for each of slices()·slice_size() slots.
  void set_inputs(std::span<const float> thresholds, std::span<const std::int32_t> source_classes,
                  std::span<const std::int32_t> target_classes, std::span<const std::uint8_t> held);

  // One round of a slice is judge, take.
  /// The candidates of a slice, x' by the walk's update, or x itself where held; their forward pass, and the decision
  /// on each.
  SliceJudgement judge(std::int64_t slice);
  /// x ← x' where the last judgement accepted (when next it is read); with `gradient` also J, by a backward pass.
  void take(std::int64_t slice, bool gradient);

  /// Rounds that the device may be given at once, each with its gradient; 1: `play` is not to be used.
  std::int64_t rounds_together() const { return rounds_together_; }
  /// `rounds` (at most rounds_together()) whole rounds of a slice, the device deciding by itself; `judgement(i)` then
  /// tells of each.
  void play(std::int64_t slice, std::int64_t rounds);
  SliceJudgement judgement(std::int64_t round) const;

 private:
  Array slice_of(const Array& array, std::int64_t slice) const { return array.slice(slice * slice_size_, slice_size_); }
  void step(std::int64_t slice, const InputLayout& layout, Array& input);
  void decide(std::int64_t slice);

  Network& network_;
  Device& device_;
  std::int64_t slice_size_;
  std::int64_t slices_;
  RoundRules rules_;
  std::int64_t rounds_together_;
  std::vector<float> grey_;
  // For each slot. J is kept as the backward pass gave it, for a seed scaled by a power of two; J·inverse_scale is the
  // gradient.
  // A walk stands at its candidate where accepted, else at its image: the next update takes the candidate over, so
  // every slot needs one of its own.
  Array image_, candidate_, target_, gradient_, adversarial_;  // [slots, 3, H, W]
  Array inverse_scale_, threshold_;                            // [slots]
  Array source_class_, target_class_;                          // int32 [slots]
  Array held_, accepted_;                                      // uint8 [slots]
  // For the slice at hand.
  Array seed_, logits_;                          // [slice, classes]
  Array coefficient_, candidate_inverse_scale_;  // [slice]
  Array probability_, target_probability_;       // [slice]
  // Judgements as rows of probability, target probability and decision: the last round's, and those of rounds that were
  // played together.
  Array counter_;  // int32 [1]
  Array history_;  // [rounds, 3, slice]
  std::vector<float> host_history_;
  std::vector<std::unique_ptr<Recording>> recordings_;  // of a whole round, one a slice
};

}  // namespace blindspot::levelset
