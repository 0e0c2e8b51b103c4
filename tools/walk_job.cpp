// Implementation of walk_job.h.
#include "tools/walk_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "blindspot/distances.h"
#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

void check_noise(const WalkPlan& plan) {
  const std::size_t pairs = plan.pairs.size();
  if (plan.noise_file.empty() || plan.noise.size() == pairs) return;
  throw Error(ErrorKind::input, fmt::format("{}: `noise` is {}, but there are {} pairs to walk, a row for each",
                                            plan.noise_file, shape_text(plan.noise_shape), pairs));
}

std::vector<WalkPair> pairs_of(const WalkPlan& plan) {
  std::vector<WalkPair> pairs;
  for (const PairNumbers& numbers : plan.pairs) {
    const Participant& source = plan.sources[numbers.source];
    const Participant& target = plan.targets[numbers.target];
    WalkPair pair;
    pair.source = &source.image;
    pair.target = &target.image;
    pair.source_class = source.predicted;
    pair.target_class = target.predicted;
    if (!plan.noise.empty()) pair.noise = &plan.noise[pairs.size()];
    pairs.push_back(pair);
  }
  count_occurrences(pairs);
  return pairs;
}

/// What is kept of a pair in memory; its images go into the store.
WalkedPair set_aside(const PairNumbers& numbers, WalkResult&& result, const Image& target, bool keep_records,
                     ImageStore& store) {
  WalkedPair pair;
  pair.numbers = numbers;
  pair.result = std::move(result);
  pair.rmse = rmse(pair.result.final_image, target);
  pair.linf = linf(pair.result.final_image, target);
  pair.final_image = store.add(pair.result.final_image);
  pair.result.final_image = {};
  for (WalkRecord& record : pair.result.records) {
    if (keep_records) pair.record_images.push_back(store.add(record.image));
    record.image = {};
  }
  return pair;
}

/// The final images after a round trip through 8 bits, as a picture file holds them. False if a signal ended it.
bool measure_8bit(Model& model, const WalkPlan& plan, const ImageStore& store, std::vector<WalkedPair>& walked) {
  constexpr std::size_t at_a_time = 16;
  for (std::size_t first = 0; first < walked.size(); first += at_a_time) {
    const std::span<WalkedPair> some = std::span(walked).subspan(first, std::min(at_a_time, walked.size() - first));
    std::vector<NamedImage> rounded;
    std::vector<std::int32_t> classes;
    for (const WalkedPair& pair : some) {
      rounded.push_back({"", to_image(to_picture(store.read(pair.final_image)))});
      classes.push_back(plan.sources[pair.numbers.source].predicted);
    }
    try {
      const std::vector<float> probabilities = model.probabilities_fp32(pointers_to(rounded), classes);
      for (std::size_t i = 0; i < some.size(); ++i) some[i].probability_8bit = probabilities[i];
    } catch (const Stopped&) {
      return false;
    }
  }
  return true;
}

/// SSIM and LPIPS of the final images. False if a signal ended it.
bool measure_distances(DistanceMeasure& distances, const WalkPlan& plan, const ImageStore& store,
                       std::vector<WalkedPair>& walked) {
  constexpr std::size_t at_a_time = 32;
  for (std::size_t first = 0; first < walked.size(); first += at_a_time) {
    const std::span<WalkedPair> some = std::span(walked).subspan(first, std::min(at_a_time, walked.size() - first));
    std::vector<Image> finals;
    std::vector<ImagePair> pairs;
    for (const WalkedPair& pair : some) finals.push_back(store.read(pair.final_image));
    for (std::size_t i = 0; i < some.size(); ++i) {
      pairs.push_back({&finals[i], &plan.targets[some[i].numbers.target].image});
    }
    try {
      const std::vector<Distances> measured = distances.measure(pairs);
      for (std::size_t i = 0; i < some.size(); ++i) {
        some[i].ssim = measured[i].ssim;
        some[i].lpips = measured[i].lpips;
      }
    } catch (const Stopped&) {
      return false;
    }
  }
  return true;
}

/// Path width at every record, some pairs at a time. False if a signal ended it.
bool measure_widths(Model& model, const WalkPlan& plan, std::span<const WalkPair> pairs, const ImageStore& store,
                    std::vector<WalkedPair>& walked, ProgressDisplay& display) {
  constexpr std::size_t at_a_time = 8;
  std::size_t all = 0;
  for (const WalkedPair& pair : walked) all += pair.record_images.size();
  if (all == 0) return true;
  std::size_t done = 0;
  const std::string name = fmt::format("path widths of {}", counted(all, "record"));
  display.message(name);
  WidthOptions options = WidthOptions::of(plan.parameters);
  for (std::size_t first = 0; first < walked.size(); first += at_a_time) {
    const std::span<WalkedPair> some = std::span(walked).subspan(first, std::min(at_a_time, walked.size() - first));
    std::vector<Image> images;
    std::vector<WidthPoint> points;
    for (const WalkedPair& pair : some) {
      for (const std::size_t number : pair.record_images) images.push_back(store.read(number));
    }
    for (const WalkedPair& pair : some) {
      const WalkPair& walk = pairs[pair.number];
      for (std::size_t i = 0; i < pair.record_images.size(); ++i) {
        points.push_back({&images[points.size()], walk.target, walk.source_class, walk.source, walk.occurrence});
      }
    }
    options.progress = [&](double share) {
      display.show(name,
                   (static_cast<double>(done) + share * static_cast<double>(points.size())) / static_cast<double>(all));
    };
    try {
      std::vector<PathWidth> widths = path_widths(model, points, options);
      done += points.size();
      auto next = widths.begin();
      for (WalkedPair& pair : some) {
        const auto count = static_cast<std::ptrdiff_t>(pair.record_images.size());
        pair.widths.assign(std::make_move_iterator(next), std::make_move_iterator(next + count));
        next += count;
      }
    } catch (const Stopped&) {
      return false;
    }
  }
  return true;
}

/// What takes no part in the walk itself, cheapest first.
bool measure(Model& model, DistanceMeasure& distances, const WalkPlan& plan, std::span<const WalkPair> pairs,
             const ImageStore& store, std::vector<WalkedPair>& walked, ProgressDisplay& display) {
  return measure_8bit(model, plan, store, walked) && measure_distances(distances, plan, store, walked) &&
         (!plan.width || measure_widths(model, plan, pairs, store, walked, display));
}

}  // namespace

void load_noise(WalkPlan& plan, int side) {
  const std::string& file = plan.noise_file;
  if (file.empty()) return;
  std::map<std::string, FloatTensor> tensors = read_float_tensors(file);
  const auto found = tensors.find("noise");
  if (found == tensors.end()) throw Error(ErrorKind::input, fmt::format("{}: holds no tensor `noise`", file));
  const std::vector<std::int64_t>& shape = found->second.shape;
  if (shape.size() != 4 || shape[1] != 3 || shape[2] != side || shape[3] != side) {
    throw Error(ErrorKind::input, fmt::format("{}: `noise` is {}, but the network's images need [pairs,3,{},{}]", file,
                                              shape_text(shape), side, side));
  }
  for (const float value : found->second.values) {
    if (value >= 0 && value < 1) continue;
    throw Error(ErrorKind::input, fmt::format("{}: `noise` holds {}, not a number from 0 to below 1", file, value));
  }
  plan.noise_shape = shape;
  const std::size_t row = found->second.values.size() / std::max<std::size_t>(static_cast<std::size_t>(shape[0]), 1);
  for (auto start = found->second.values.begin(); start != found->second.values.end();) {
    const auto end = start + static_cast<std::ptrdiff_t>(row);
    plan.noise.emplace_back(start, end);
    start = end;
  }
}

std::vector<std::int64_t> shown_iterations(const WalkParameters& parameters) {
  constexpr std::int64_t most_records = 11;
  // Records stand at the multiples of record_every, and at the end but for the mode `reference`.
  const std::int64_t multiples = (parameters.iterations + parameters.record_every - 1) / parameters.record_every;
  const std::int64_t count = multiples + (parameters.mode == WalkMode::standard ? 1 : 0);
  const std::int64_t shown = std::min(count, most_records);
  std::vector<std::int64_t> iterations;
  for (std::int64_t i = 0; i < shown; ++i) {
    const std::int64_t number = shown == 1 ? 0 : i * (count - 1) / (shown - 1);
    iterations.push_back(number < multiples ? number * parameters.record_every : parameters.iterations);
  }
  return iterations;
}

std::vector<PairNumbers> every_ordered_pair(std::size_t count) {
  std::vector<PairNumbers> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      if (i != j) pairs.push_back({i, j});
    }
  }
  return pairs;
}

WalkedPairs walk_all(Model& model, DistanceMeasure& distances, const WalkPlan& plan, ImageStore& store, bool quiet,
                     const PairEnded& pair_ended) {
  check_noise(plan);
  const std::vector<WalkPair> pairs = pairs_of(plan);
  say_what_is_assumed(model, quiet);
  std::vector<std::optional<WalkedPair>> ended(pairs.size());
  ProgressDisplay display(quiet);
  const int side = model.information().preprocessing.input_size;
  constexpr double mebibyte = 1024.0 * 1024.0;
  const std::size_t arena_bytes = model.prepare_walks(pairs.size(), [&] {
    if (!pairs.empty()) distances.prepare(side, side);
  });
  const double arena = static_cast<double>(arena_bytes) / mebibyte;
  display.message(fmt::format("{} of {} on {} in {}, {} at a time, {:.1f} MiB for the arrays of the run",
                              counted(pairs.size(), "pair"), counted(plan.parameters.iterations, "step"),
                              model.device(), to_string(model.precision()), model.batch(), arena));
  WalkOptions options;
  const bool keep_records = plan.keep_path || plan.width || plan.animate;
  if (!keep_records) {
    options.keeps_record_image = [shown = shown_iterations(plan.parameters)](std::int64_t iteration) {
      return std::binary_search(shown.begin(), shown.end(), iteration);
    };
  }
  options.progress = [&](const WalkProgress& progress) { display.show(progress); };
  options.finished = [&](std::size_t number, WalkResult&& result) {
    pair_ended(plan.pairs[number], result);
    ended[number] = set_aside(plan.pairs[number], std::move(result), *pairs[number].target, keep_records, store);
    ended[number]->number = number;
  };
  WalkedPairs walked;
  try {
    if (!pairs.empty()) model.walk(pairs, plan.parameters, options);
  } catch (const Error& error) {
    const bool nothing_ended =
        std::none_of(ended.begin(), ended.end(), [](const auto& pair) { return pair.has_value(); });
    if (error.kind() != ErrorKind::device || nothing_ended) throw;
    walked.fault = error.what();
  }
  for (std::optional<WalkedPair>& pair : ended) {
    if (pair) walked.pairs.push_back(*std::move(pair));
  }
  // What was walked is worth keeping even where there is no time, or no device, left to measure it.
  try {
    walked.complete = walked.fault.empty() && walked.pairs.size() == pairs.size() &&
                      measure(model, distances, plan, pairs, store, walked.pairs, display);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::device) throw;
    walked.fault = error.what();
  }
  return walked;
}

}  // namespace blindspot::tools
