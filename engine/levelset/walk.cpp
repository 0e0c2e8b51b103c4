// The run of many walks: slots take pairs, go round by round through the network, and give up their results. Uses slots
// and their arrays. A round is one forward pass of every slice and at most one backward pass; a pair spends one round
// on its clean source, one on its noised start and one on each iteration, whatever stage its neighbours are in.
#include "engine/levelset/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/levelset/slot.h"
#include "engine/levelset/slot_arrays.h"
#include "engine/levelset/start_noise.h"

namespace blindspot::levelset {
namespace {

/// A point of a walk that somebody wants to see: the current x of a slot, or its clean source.
struct Observation {
  std::size_t slot = 0;
  Image image;                         // x; empty where only the numbers are wanted
  std::array<float, 2> probabilities;  // of the source's and the target's class, fp32
};

/// Whether a record of this iteration takes its image along.
bool keeps_image(const WalkOptions& options, std::int64_t iteration) {
  return options.keep_record_images && (!options.keeps_record_image || options.keeps_record_image(iteration));
}

RoundRules rules_of(const WalkParameters& parameters, const WalkOptions& options) {
  const bool reference = parameters.mode == WalkMode::reference;
  return {{parameters.step_size, parameters.adversarial, parameters.adversarial_step, reference, reference},
          options.accept_every_step ? std::numeric_limits<float>::infinity() : parameters.delta};
}

class Traversal {
 public:
  Traversal(Network& network, Device& device, std::int64_t slots, std::span<const WalkPair> pairs,
            const WalkParameters& parameters, const WalkOptions& options, const Fp32Probabilities& reverify);

  /// False if cancelled.
  bool run();

 private:
  bool fill_slots();
  void update_inputs();
  void advance(std::int64_t slice);
  void advance_once(std::int64_t slice, std::span<Slot> slots);
  void judge(std::span<Slot> slots, const SliceJudgement& judgement);
  void observe();
  Observation look(std::size_t number);
  void recompute_in_fp32();
  void note(Observation& observation);
  void report(Slot& slot, std::size_t number, Observation& observation);
  void report_progress() const;

  Network& network_;
  std::span<const WalkPair> pairs_;
  const WalkParameters& parameters_;
  const WalkOptions& options_;
  const Fp32Probabilities& reverify_;
  SlotArrays arrays_;
  std::size_t usable_slots_;
  std::vector<Slot> slots_;  // whole slices; those from usable_slots_ on stay empty
  std::size_t next_pair_ = 0;
  std::size_t pairs_done_ = 0;
  bool inputs_changed_ = true;
  // Per slot, as the device is told them.
  std::vector<float> thresholds_;
  std::vector<std::int32_t> source_classes_, target_classes_;
  std::vector<std::uint8_t> held_;
  std::vector<float> start_;  // [3, H, W], of one walk at a time
  std::vector<Observation> observations_;
};

Traversal::Traversal(Network& network, Device& device, std::int64_t slots, std::span<const WalkPair> pairs,
                     const WalkParameters& parameters, const WalkOptions& options, const Fp32Probabilities& reverify)
    : network_(network),
      pairs_(pairs),
      parameters_(parameters),
      options_(options),
      reverify_(reverify),
      arrays_(network, device, slots, rules_of(parameters, options)),
      usable_slots_(static_cast<std::size_t>(slots)) {
  const auto all = static_cast<std::size_t>(arrays_.slices() * arrays_.slice_size());
  slots_.resize(all);
  thresholds_.resize(all);
  source_classes_.resize(all);
  target_classes_.resize(all);
  held_.resize(all);
  start_.resize(static_cast<std::size_t>(3 * network.height() * network.width()));
  observations_.reserve(all);
}

bool Traversal::run() {
  while (fill_slots()) {
    if (inputs_changed_) update_inputs();
    for (std::int64_t slice = 0; slice < arrays_.slices(); ++slice) {
      if (options_.cancelled && options_.cancelled()) return false;
      advance(slice);
    }
    observe();
    if (options_.progress) report_progress();
  }
  return true;
}

/// Empty slots take the next pairs. False when nothing is left to do.
bool Traversal::fill_slots() {
  bool busy = false;
  for (std::size_t number = 0; number < usable_slots_; ++number) {
    Slot& slot = slots_[number];
    if (slot.stage() == Stage::empty && next_pair_ < pairs_.size()) {
      const WalkPair& pair = pairs_[next_pair_];
      slot.begin(next_pair_, pair, parameters_, options_);
      arrays_.place(static_cast<std::int64_t>(number), pair.source->values, pair.target->values);
      ++next_pair_;
      inputs_changed_ = true;
    }
    busy = busy || slot.stage() != Stage::empty;
  }
  return busy;
}

void Traversal::update_inputs() {
  for (std::size_t number = 0; number < slots_.size(); ++number) {
    const Slot& slot = slots_[number];
    thresholds_[number] = slot.threshold();
    source_classes_[number] = slot.classes()[0];
    target_classes_[number] = slot.classes()[1];
    held_[number] = slot.held() ? 1 : 0;
  }
  arrays_.set_inputs(thresholds_, source_classes_, target_classes_, held_);
  inputs_changed_ = false;
}

/// One round of a slice, or as many as nobody needs to look at, where the device can be given several at once. A slice
/// of empty slots is left out.
void Traversal::advance(std::int64_t slice) {
  const auto count = static_cast<std::size_t>(arrays_.slice_size());
  const std::span<Slot> slots = std::span(slots_).subspan(static_cast<std::size_t>(slice) * count, count);
  std::int64_t rounds = arrays_.rounds_together();
  bool busy = false;
  for (const Slot& slot : slots) {
    if (slot.stage() == Stage::empty) continue;
    busy = true;
    rounds = std::min(rounds, slot.rounds_to_see());
  }
  if (!busy) return;
  if (rounds == 1) {
    advance_once(slice, slots);
    return;
  }
  arrays_.play(slice, rounds);
  for (std::int64_t round = 0; round < rounds; ++round) judge(slots, arrays_.judgement(round));
}

/// A backward pass is made if one of the slots needs it, and its shape is the same then as ever.
void Traversal::advance_once(std::int64_t slice, std::span<Slot> slots) {
  const SliceJudgement judgement = arrays_.judge(slice);
  bool gradient = false;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    gradient = gradient || slots[i].wants_gradient(judgement.accepted[i] != 0);
  }
  arrays_.take(slice, gradient);
  judge(slots, judgement);
}

void Traversal::judge(std::span<Slot> slots, const SliceJudgement& judgement) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Stage before = slots[i].stage();
    slots[i].judge(judgement.probability[i], judgement.target_probability[i], judgement.accepted[i] != 0);
    inputs_changed_ = inputs_changed_ || slots[i].stage() != before;
  }
}

/// Records, starts and ends of this round; allocates only where there is one.
void Traversal::observe() {
  observations_.clear();
  for (std::size_t number = 0; number < slots_.size(); ++number) {
    const Slot& slot = slots_[number];
    if (slot.stage() == Stage::empty) continue;
    if (slot.source_seen() || slot.start_seen() || slot.record_due() || slot.traced() || slot.done()) {
      observations_.push_back(look(number));
    }
  }
  if (reverify_ && !observations_.empty()) recompute_in_fp32();
  for (Observation& observation : observations_) note(observation);
}

Observation Traversal::look(std::size_t number) {
  const Slot& slot = slots_[number];
  Observation observation;
  observation.slot = number;
  observation.probabilities = slot.probabilities();
  const bool kept = slot.done() || slot.traced() || (slot.record_due() && keeps_image(options_, slot.iteration()));
  if (!slot.source_seen() && (kept || reverify_)) {
    observation.image.height = static_cast<int>(network_.height());
    observation.image.width = static_cast<int>(network_.width());
    observation.image.values.resize(start_.size());
    arrays_.read_image(static_cast<std::int64_t>(number), observation.image.values);
  }
  return observation;
}

void Traversal::recompute_in_fp32() {
  std::vector<const Image*> images;
  std::vector<std::array<std::int32_t, 2>> classes;
  for (const Observation& observation : observations_) {
    const Slot& slot = slots_[observation.slot];
    images.push_back(slot.source_seen() ? slot.pair().source : &observation.image);
    classes.push_back(slot.classes());
  }
  const std::vector<std::array<float, 2>> probabilities = reverify_(images, classes);
  for (std::size_t i = 0; i < observations_.size(); ++i) observations_[i].probabilities = probabilities.at(i);
}

/// Puts what was seen where it belongs; a walk that is done leaves its slot.
void Traversal::note(Observation& observation) {
  Slot& slot = slots_[observation.slot];
  WalkResult& result = slot.result();
  const auto [probability, target_probability] = observation.probabilities;
  if (slot.source_seen()) {
    result.source_probability = probability;
    noised_start(slot.pair(), parameters_.seed, start_);
    arrays_.set_image(static_cast<std::int64_t>(observation.slot), start_);
    return;
  }
  if (slot.start_seen()) result.start_probability = probability;
  if (slot.traced()) result.first_images.push_back(observation.image);
  if (slot.record_due()) {
    WalkRecord& record = result.records.emplace_back();
    record.iteration = slot.iteration();
    record.probability = probability;
    record.target_probability = target_probability;
    if (keeps_image(options_, slot.iteration())) record.image = observation.image;
  }
  if (slot.done()) report(slot, observation.slot, observation);
}

void Traversal::report(Slot& slot, std::size_t number, Observation& observation) {
  const std::size_t pair = slot.pair_number();
  WalkResult result = slot.finish();
  result.probability = observation.probabilities[0];
  result.target_probability = observation.probabilities[1];
  result.outside = !(result.source_probability - result.probability < parameters_.delta);  // NaN is outside
  result.final_image = std::move(observation.image);
  arrays_.clear(static_cast<std::int64_t>(number));
  inputs_changed_ = true;
  ++pairs_done_;
  if (options_.finished) options_.finished(pair, std::move(result));
}

void Traversal::report_progress() const {
  WalkProgress progress;
  progress.pairs_done = static_cast<std::int64_t>(pairs_done_);
  progress.pairs = static_cast<std::int64_t>(pairs_.size());
  progress.iterations = progress.pairs * parameters_.iterations;
  progress.iterations_done = progress.pairs_done * parameters_.iterations;
  for (const Slot& slot : slots_) {
    if (slot.stage() == Stage::walking) progress.iterations_done += slot.iteration();
  }
  options_.progress(progress);
}

void check_pair(const WalkPair& pair, std::size_t number, const Network& network) {
  const auto require = [number](bool holds, const char* what) {
    if (!holds) throw Error(ErrorKind::usage, fmt::format("pair {}: {}", number, what));
  };
  const auto count = static_cast<std::size_t>(3 * network.height() * network.width());
  const auto fits = [&network, count](const Image* image) {
    return image != nullptr && image->height == network.height() && image->width == network.width() &&
           image->values.size() == count;
  };
  require(fits(pair.source), "the source image must have the network's input size");
  require(fits(pair.target), "the target image must have the network's input size");
  require(pair.noise == nullptr || pair.noise->size() == count, "--noise must have one value for each of the image's");
  require(pair.source_class >= 0 && pair.source_class < network.classes(), "the network has no such source class");
  require(pair.target_class >= 0 && pair.target_class < network.classes(), "the network has no such target class");
}

void check_slots(std::int64_t slots) {
  if (slots < 1) throw Error(ErrorKind::usage, fmt::format("--batch {}: must be 1 or more", slots));
}

}  // namespace

std::size_t memory_of_run(Network& network, Device& device, std::int64_t slots) {
  check_slots(slots);
  return device.rehearse([&network, &device, slots] {
    SlotArrays arrays(network, device, slots, {});
    arrays.judge(0);
    arrays.take(0, true);
  });
}

std::size_t prepare(Network& network, Device& device, std::int64_t slots) {
  const std::size_t bytes = memory_of_run(network, device, slots);
  device.commit(bytes);
  return bytes;
}

bool traverse(Network& network, Device& device, std::int64_t slots, std::span<const WalkPair> pairs,
              const WalkParameters& parameters, const WalkOptions& options, const Fp32Probabilities& reverify) {
  check_slots(slots);
  parameters.check();
  for (std::size_t number = 0; number < pairs.size(); ++number) check_pair(pairs[number], number, network);
  return Traversal(network, device, slots, pairs, parameters, options, reverify).run();
}

}  // namespace blindspot::levelset
