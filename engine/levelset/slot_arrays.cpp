// Update, forward pass, decision and gradient of one slice of slots, in the order of lst.md's iteration. Uses Network
// and Device only.
#include "engine/levelset/slot_arrays.h"

namespace blindspot::levelset {

SlotArrays::SlotArrays(Network& network, Device& device, std::int64_t slots, const RoundRules& rules)
    : network_(network),
      device_(device),
      slice_size_(network.batch()),
      slices_((slots + slice_size_ - 1) / slice_size_),
      rules_(rules),
      rounds_together_(device.rounds_together()) {
  const std::int64_t all = slices_ * slice_size_;
  const std::int64_t height = network.height();
  const std::int64_t width = network.width();
  grey_.assign(static_cast<std::size_t>(3 * height * width), 0.5F);

  for (Array* const array : {&image_, &candidate_, &target_, &gradient_, &adversarial_}) {
    *array = device.array(Type::float32, {all, 3, height, width});
  }
  for (Array* const array : {&inverse_scale_, &threshold_}) *array = device.array(Type::float32, {all});
  for (Array* const array : {&source_class_, &target_class_}) *array = device.array(Type::int32, {all});

  seed_ = device.array(Type::float32, {slice_size_, network.classes()});
  for (Array* const array : {&coefficient_, &candidate_inverse_scale_, &probability_, &target_probability_}) {
    *array = device.array(Type::float32, {slice_size_});
  }
  for (Array* const array : {&held_, &accepted_}) *array = device.array(Type::uint8, {all});
  counter_ = device.array(Type::int32, {1});
  history_ = device.array(Type::float32, {rounds_together_, 3, slice_size_});
  host_history_.resize(static_cast<std::size_t>(history_.shape().count()));
  recordings_.resize(static_cast<std::size_t>(slices_));
  for (std::int64_t slot = 0; slot < all; ++slot) clear(slot);
}

void SlotArrays::place(std::int64_t slot, std::span<const float> image, std::span<const float> target) {
  set_image(slot, image);
  Array target_view = target_.slice(slot, 1);
  device_.upload(target, target_view);
  for (const Array* const array : {&gradient_, &adversarial_}) {
    Array view = array->slice(slot, 1);
    device_.fill_zero(view);
  }
  constexpr float one = 1;
  Array scale = inverse_scale_.slice(slot, 1);
  device_.upload(std::span(&one, 1), scale);
}

void SlotArrays::clear(std::int64_t slot) {
  place(slot, grey_, grey_);
}

void SlotArrays::set_image(std::int64_t slot, std::span<const float> image) {
  Array view = candidate_.slice(slot, 1);
  device_.upload(image, view);
  constexpr std::uint8_t yes = 1;
  Array accepted = accepted_.slice(slot, 1);
  device_.upload(std::span(&yes, 1), accepted);
}

/// The candidate stays: taking it over twice changes nothing.
void SlotArrays::read_image(std::int64_t slot, std::span<float> image) {
  Array view = image_.slice(slot, 1);
  device_.select(accepted_.slice(slot, 1), candidate_.slice(slot, 1), rules_.step.poison, view);
  device_.download(view, image);
}

void SlotArrays::set_inputs(std::span<const float> thresholds, std::span<const std::int32_t> source_classes,
                            std::span<const std::int32_t> target_classes, std::span<const std::uint8_t> held) {
  device_.upload(thresholds, threshold_);
  device_.upload(source_classes, source_class_);
  device_.upload(target_classes, target_class_);
  device_.upload(held, held_);
}

/// The candidates, and their way into the network: one pass over the images.
void SlotArrays::step(std::int64_t slice, const InputLayout& layout, Array& input) {
  const Array accepted = slice_of(accepted_, slice);
  Array image = slice_of(image_, slice);
  Array candidate = slice_of(candidate_, slice);
  const Array target = slice_of(target_, slice);
  const Array gradient = slice_of(gradient_, slice);
  const Array inverse_scale = slice_of(inverse_scale_, slice);
  const Array held = slice_of(held_, slice);
  Array adversarial = slice_of(adversarial_, slice);
  device_.projection(rules_.step, {gradient, target, candidate, accepted, image, coefficient_});
  device_.step(rules_.step, {gradient, inverse_scale, coefficient_, target, image, held, adversarial, candidate},
               layout, input);
}

SliceJudgement SlotArrays::judge(std::int64_t slice) {
  constexpr std::int32_t first = 0;
  device_.upload(std::span(&first, 1), counter_);
  decide(slice);
  device_.download(history_.slice(0, 1), std::span(host_history_).first(3 * static_cast<std::size_t>(slice_size_)));
  return judgement(0);
}

/// The candidates, their forward pass, the decision on each, and a row of the history.
void SlotArrays::decide(std::int64_t slice) {
  logits_ = network_.forward(
      [this, slice](const InputLayout& layout, Array& input) { step(slice, layout, input); });  // [slice, classes]
  device_.probability(logits_, slice_of(source_class_, slice), probability_);
  device_.probability(logits_, slice_of(target_class_, slice), target_probability_);
  Array accepted = slice_of(accepted_, slice);
  device_.accept(slice_of(threshold_, slice), probability_, rules_.delta, accepted);
  device_.note_judgement(probability_, target_probability_, accepted, counter_, history_);
}

void SlotArrays::take(std::int64_t slice, bool gradient) {
  if (gradient) {
    device_.cross_entropy_seed(logits_, slice_of(source_class_, slice), seed_, candidate_inverse_scale_);
    // J and its scale are never poisoned: beside an x of NaN it does not matter, elsewhere adding 0·J' could change the
    // sign of a zero.
    network_.input_gradient(seed_, [this, slice](const InputLayout& layout, const Array& dinput) {
      const Array accepted = slice_of(accepted_, slice);
      Array kept_gradient = slice_of(gradient_, slice);
      device_.image_gradient(dinput, layout, &accepted, kept_gradient);
    });
    Array kept_scale = slice_of(inverse_scale_, slice);
    device_.select(slice_of(accepted_, slice), candidate_inverse_scale_, false, kept_scale);
  } else {
    network_.forget();
  }
  logits_ = Array();
}

void SlotArrays::play(std::int64_t slice, std::int64_t rounds) {
  std::unique_ptr<Recording>& recording = recordings_[static_cast<std::size_t>(slice)];
  if (!recording) {
    recording = device_.record([this, slice] {
      decide(slice);
      take(slice, true);
    });
  }
  constexpr std::int32_t first = 0;
  device_.upload(std::span(&first, 1), counter_);
  recording->play(rounds);
  const auto values = static_cast<std::size_t>(rounds * 3 * slice_size_);
  device_.download(history_.slice(0, rounds), std::span(host_history_).first(values));
}

SliceJudgement SlotArrays::judgement(std::int64_t round) const {
  const auto count = static_cast<std::size_t>(slice_size_);
  const std::span<const float> row = std::span(host_history_).subspan(static_cast<std::size_t>(round) * 3 * count);
  return {row.first(count), row.subspan(count, count), row.subspan(2 * count, count)};
}

}  // namespace blindspot::levelset
