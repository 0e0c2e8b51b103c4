// Implementation of walk_job.h.
#include "tools/walk_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "blindspot/distances.h"
#include "tools/numbers.h"

namespace blindspot::tools {

namespace {

/// U of every pair's start, one row a pair; empty without a noise file.
std::vector<std::vector<float>> noise_rows(const WalkPlan& plan) {
  if (plan.noise_file.empty()) return {};
  const std::size_t pairs = plan.pairs.size();
  if (plan.noise.shape[0] != static_cast<std::int64_t>(pairs)) {
    throw Error(ErrorKind::input, fmt::format("{}: `noise` is {}, but there are {} pairs to walk, a row for each",
                                              plan.noise_file, shape_text(plan.noise.shape), pairs));
  }
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t row = plan.noise.values.size() / pairs;
    const auto start = plan.noise.values.begin() + static_cast<std::ptrdiff_t>(i * row);
    rows.emplace_back(start, start + static_cast<std::ptrdiff_t>(row));
  }
  return rows;
}

struct LessByPixels {
  bool operator()(const Image* a, const Image* b) const { return a->values < b->values; }
};

/// Which occurrence of the same two images (by their pixels) a pair is; part of the identity of its random numbers.
class Occurrences {
 public:
  std::uint64_t next(const Image& source, const Image& target) {
    return counts_[{representative(source), representative(target)}]++;
  }

 private:
  const Image* representative(const Image& image) { return *images_.insert(&image).first; }

  std::set<const Image*, LessByPixels> images_;
  std::map<std::pair<const Image*, const Image*>, std::uint64_t> counts_;
};

std::vector<WalkPair> pairs_of(const WalkPlan& plan, const std::vector<std::vector<float>>& noise) {
  Occurrences occurrences;
  std::vector<WalkPair> pairs;
  for (const PairNumbers& numbers : plan.pairs) {
    const Participant& source = plan.sources[numbers.source];
    const Participant& target = plan.targets[numbers.target];
    WalkPair pair;
    pair.source = &source.image;
    pair.target = &target.image;
    pair.source_class = source.predicted;
    pair.target_class = target.predicted;
    pair.occurrence = occurrences.next(source.image, target.image);
    if (!noise.empty()) pair.noise = &noise[pairs.size()];
    pairs.push_back(pair);
  }
  return pairs;
}

/// The final images after a round trip through 8 bits, as a picture file holds them.
void measure_8bit(Model& model, const WalkPlan& plan, std::vector<WalkedPair>& walked) {
  std::vector<Image> rounded;
  std::vector<std::int32_t> classes;
  for (const WalkedPair& pair : walked) {
    rounded.push_back(to_image(to_picture(pair.result.final_image)));
    classes.push_back(plan.sources[pair.numbers.source].predicted);
  }
  std::vector<const Image*> pointers;
  for (const Image& image : rounded) pointers.push_back(&image);
  const std::vector<float> probabilities = model.probabilities_fp32(pointers, classes);
  for (std::size_t i = 0; i < walked.size(); ++i) walked[i].probability_8bit = probabilities[i];
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
  plan.noise = std::move(found->second);
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

std::vector<WalkedPair> walk_all(Model& model, const WalkPlan& plan, const StopSignals& stop, bool quiet,
                                 const PairEnded& pair_ended) {
  const std::vector<std::vector<float>> noise = noise_rows(plan);
  const std::vector<WalkPair> pairs = pairs_of(plan, noise);
  say_what_is_assumed(model, quiet);
  std::vector<std::optional<WalkResult>> results(pairs.size());
  ProgressDisplay display(quiet);
  constexpr double mebibyte = 1024.0 * 1024.0;
  const double arena = static_cast<double>(model.prepare_walks(pairs.size())) / mebibyte;
  display.message(fmt::format("{} pairs of {} steps on {} in {}, {} at a time, {:.1f} MiB for the arrays of the run",
                              pairs.size(), plan.parameters.iterations, model.device(), to_string(model.precision()),
                              model.batch(), arena));
  WalkOptions options;
  if (!plan.keep_path) {
    options.keeps_record_image = [shown = shown_iterations(plan.parameters)](std::int64_t iteration) {
      return std::binary_search(shown.begin(), shown.end(), iteration);
    };
  }
  options.progress = [&](const WalkProgress& progress) { display.show(progress); };
  options.finished = [&](std::size_t pair, WalkResult&& result) {
    pair_ended(plan.pairs[pair], result);
    if (!plan.keep_path) {
      for (WalkRecord& record : result.records) record.image = {};
    }
    results[pair] = std::move(result);
  };
  options.cancelled = [&stop] { return stop.requested(); };
  if (!pairs.empty()) model.walk(pairs, plan.parameters, options);

  std::vector<WalkedPair> walked;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) continue;
    WalkedPair pair{plan.pairs[i], *std::move(results[i]), 0, 0, 0};
    pair.rmse = rmse(pair.result.final_image, *pairs[i].target);
    pair.linf = linf(pair.result.final_image, *pairs[i].target);
    walked.push_back(std::move(pair));
  }
  measure_8bit(model, plan, walked);
  return walked;
}

}  // namespace blindspot::tools
