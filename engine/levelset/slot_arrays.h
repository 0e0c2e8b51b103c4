// The device's side of the slots: images, targets, gradients and adversarial steps of all walks, and the passes through
// the network, a slice of network.batch() slots at a time. Uses Network and Device; decides nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/networks/network.h"

namespace blindspot::levelset {

/// What the forward pass of one slice said; one value a slot, valid until the next judgement.
struct SliceJudgement {
  std::span<const float> probability, target_probability;
  std::span<const std::uint8_t> accepted;
};

/// Memory is taken when made, and none in an iteration. Empty slots hold a grey image that stays where it is.
class SlotArrays {
 public:
  /// `slots` rounded up to whole slices.
  SlotArrays(Network& network, Device& device, std::int64_t slots);

  std::int64_t slice_size() const { return slice_size_; }
  std::int64_t slices() const { return slices_; }

  /// x and t of a slot, both [3, H, W]; its J and A become zero.
  void place(std::int64_t slot, std::span<const float> image, std::span<const float> target);
  /// Grey, standing still.
  void clear(std::int64_t slot);
  void set_image(std::int64_t slot, std::span<const float> image);
  void read_image(std::int64_t slot, std::span<float> image) const;
  /// Per slot: p₀ for the acceptance test and the two classes. One value for each of slices()·slice_size() slots.
  void set_inputs(std::span<const float> thresholds, std::span<const std::int32_t> source_classes,
                  std::span<const std::int32_t> target_classes);

  /// The candidates of a slice: x' by the walk's update, or x itself where `held` (one flag a slot of the slice).
  void propose(std::int64_t slice, const StepDescription& step, std::span<const std::uint8_t> held);
  /// Forward pass of the candidates; decides each by threshold − p < delta, strictly, in float32.
  SliceJudgement judge(std::int64_t slice, float delta);
  /// x ← x' where the last judgement accepted; with `gradient` also J, by a backward pass. Where nothing was accepted
  /// `poison` lets NaN spread as in the authors' code.
  void take(std::int64_t slice, bool gradient, bool poison);

 private:
  Array slice_of(const Array& array, std::int64_t slice) const { return array.slice(slice * slice_size_, slice_size_); }

  Network& network_;
  Device& device_;
  std::int64_t slice_size_;
  std::int64_t slices_;
  std::vector<float> grey_;
  // For each slot. J is kept as the backward pass gave it, for a seed scaled by a power of two; J·inverse_scale is the
  // gradient.
  Array image_, target_, gradient_, adversarial_;  // [slots, 3, H, W]
  Array inverse_scale_, threshold_;                // [slots]
  Array source_class_, target_class_;              // int32 [slots]
  // For the slice at hand.
  Array candidate_, candidate_gradient_;                        // [slice, 3, H, W]
  Array seed_;                                                  // [slice, classes]
  Array coefficient_, candidate_inverse_scale_;                 // [slice]
  Array probability_, target_probability_, accepted_, logits_;  // [slice], uint8 [slice], [slice, classes]
  std::vector<float> host_probability_, host_target_probability_;
  std::vector<std::uint8_t> host_accepted_;
};

}  // namespace blindspot::levelset
