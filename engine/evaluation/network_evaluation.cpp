// Implementation of network_evaluation.h.
#include "engine/evaluation/network_evaluation.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace blindspot::evaluation {

namespace {

/// Adds the time that it lives.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::size_t index(std::int64_t number) {
  return static_cast<std::size_t>(number);
}

}  // namespace

std::int64_t records_of(const WalkParameters& walk) {
  return (walk.iterations + walk.record_every - 1) / walk.record_every + (walk.mode == WalkMode::standard ? 1 : 0);
}

std::int64_t passes_of_widths(const WalkParameters& walk) {
  const WidthOptions width;
  return records_of(walk) * passes_of_width(width.directions, width.radii.size());
}

std::set<PairKey> detailed_pairs_of(std::span<const EvaluatedInput> inputs, const EvaluationParameters& parameters) {
  const auto most = static_cast<std::size_t>(parameters.detailed_pairs);
  std::set<PairKey> detailed;
  for (const EvaluatedInput& input : inputs) {
    if (!input.dropped_reason.empty()) continue;
    for (std::int64_t round = 0; round < parameters.rounds && detailed.size() < most; ++round) {
      detailed.emplace(input.image, round);
    }
  }
  return detailed;
}

std::int64_t widths_to_measure(std::span<const EvaluatedInput> inputs, const EvaluationParameters& parameters,
                               const Shard& shard, const std::set<PairKey>& done) {
  if (!parameters.width) return 0;
  const std::set<PairKey> detailed = detailed_pairs_of(inputs, parameters);
  return std::count_if(detailed.begin(), detailed.end(),
                       [&](const PairKey& key) { return shard.has(key.first) && !done.contains(key); });
}

struct NetworkEvaluation::Walked {
  PairKey key;
  WalkResult result;
  Distances distances;
  float probability_8bit = 0;
  std::vector<PathWidth> widths;  // one a record, or none
};

NetworkEvaluation::NetworkEvaluation(Model& model, std::int64_t number, std::span<const EvaluatedInput> inputs,
                                     std::span<const Picture* const> pictures,
                                     const std::vector<std::vector<PlannedPair>>& plan, const RunContext& context,
                                     AlreadyDone done)
    : model_(model),
      number_(number),
      inputs_(inputs),
      pictures_(pictures),
      plan_(plan),
      context_(context),
      detailed_(detailed_pairs_of(inputs, context.parameters)),
      finals_(std::move(done.finals)) {
  for (const EvaluatedInput& input : inputs) {
    if (!input.dropped_reason.empty()) continue;
    if (!context.shard.has(input.image)) continue;
    if (!done.hulls.contains(input.image)) without_hulls_.insert(input.image);
    for (std::int64_t round = 0; round < context.parameters.rounds; ++round) {
      ++pairs_;
      if (done.pairs.contains({input.image, round})) continue;
      to_do_.emplace_back(input.image, round);
    }
  }
  widths_to_do_ = widths_to_measure(inputs, context.parameters, context.shard, done.pairs);
}

bool NetworkEvaluation::run(const NetworkProgress& progress) {
  finish_sources();  // an earlier start may have ended between the last walk of a source and its hulls
  const auto at_a_time = index(model_.batch());
  for (std::size_t first = 0; first < to_do_.size(); first += at_a_time) {
    const auto keys = std::span<const PairKey>(to_do_).subspan(first, std::min(at_a_time, to_do_.size() - first));
    std::vector<Walked> walked;
    const bool complete = walk_some(keys, walked, progress);
    measure(walked);
    finish_walked(walked, progress);
    if (!complete) return false;
    finished_ += static_cast<std::int64_t>(keys.size());
    finish_sources();
  }
  return true;
}

bool NetworkEvaluation::measures_width(const PairKey& key) const {
  return context_.parameters.width && detailed_.contains(key);
}

WalkPair NetworkEvaluation::walk_pair(const PairKey& key, const std::map<std::int64_t, Image>& images) const {
  const PlannedPair& planned = plan_[index(key.first)][index(key.second)];
  WalkPair pair;
  pair.source = &images.at(key.first);
  pair.target = &images.at(planned.target);
  pair.source_class = inputs_[index(key.first)].predicted;
  pair.target_class = inputs_[index(planned.target)].predicted;
  pair.occurrence = planned.occurrence;
  return pair;
}

/// False if cancelled: `walked` then holds those that had ended.
bool NetworkEvaluation::walk_some(std::span<const PairKey> keys, std::vector<Walked>& walked,
                                  const NetworkProgress& progress) {
  std::map<std::int64_t, Image> images;
  for (const PairKey& key : keys) {
    for (const std::int64_t number : {key.first, plan_[index(key.first)][index(key.second)].target}) {
      if (!images.contains(number)) images.emplace(number, to_image(*pictures_[index(number)]));
    }
  }
  std::vector<WalkPair> pairs;
  for (const PairKey& key : keys) pairs.push_back(walk_pair(key, images));
  WalkOptions options;
  options.keep_record_images =
      std::any_of(keys.begin(), keys.end(), [this](const PairKey& key) { return detailed_.contains(key); });
  options.finished = [&](std::size_t pair, WalkResult&& result) {
    walked.push_back({keys[pair], std::move(result), {}, 0, {}});
  };
  const std::int64_t iterations = context_.parameters.walk.iterations;
  options.progress = [&](const WalkProgress& now) {
    progress({finished_ + now.pairs_done, finished_ * iterations + now.iterations_done, std::nullopt,
              static_cast<double>(widths_to_do_ - widths_done_)});
  };
  bool complete = false;
  {
    const Stopwatch watch(seconds_of_device_);
    complete = model_.walk(pairs, context_.parameters.walk, options);
  }
  if (!complete) walked.clear();  // what is not measured is not finished, and there is no time left
  return complete;
}

/// Distances to the targets, and the source's class after a round trip through 8 bits.
void NetworkEvaluation::measure(std::vector<Walked>& walked) {
  if (walked.empty()) return;
  std::vector<Image> targets, rounded;
  std::vector<const Image*> rounded_pointers;
  std::vector<ImagePair> pairs;
  std::vector<std::int32_t> classes;
  for (const Walked& one : walked) {
    const PlannedPair& planned = plan_[index(one.key.first)][index(one.key.second)];
    targets.push_back(to_image(*pictures_[index(planned.target)]));
    rounded.push_back(to_image(to_picture(one.result.final_image)));
    classes.push_back(inputs_[index(one.key.first)].predicted);
  }
  for (std::size_t i = 0; i < walked.size(); ++i) {
    pairs.push_back({&walked[i].result.final_image, &targets[i]});
    rounded_pointers.push_back(&rounded[i]);
  }
  const Stopwatch watch(seconds_of_device_);
  const std::vector<Distances> distances = context_.distances->measure(pairs);
  const std::vector<float> probabilities = model_.probabilities_fp32(rounded_pointers, classes);
  for (std::size_t i = 0; i < walked.size(); ++i) {
    walked[i].distances = distances[i];
    walked[i].probability_8bit = probabilities[i];
  }
}

/// Stores each pair when all of it is measured. Those without path widths first: a stop while widths are measured,
/// which takes longer than the walk, then costs no more than the pairs that have them.
void NetworkEvaluation::finish_walked(std::vector<Walked>& walked, const NetworkProgress& progress) {
  std::stable_partition(walked.begin(), walked.end(), [this](const Walked& one) { return !measures_width(one.key); });
  const std::int64_t pairs = finished_ + static_cast<std::int64_t>(walked.size());
  for (Walked& one : walked) {
    if (measures_width(one.key)) {
      measure_width(one, [&](double share) {
        const double done = static_cast<double>(widths_done_) + share;
        const auto all = static_cast<double>(widths_to_do_);
        progress({pairs, pairs * context_.parameters.walk.iterations, done / all, all - done});
      });
      ++widths_done_;
    }
    store(std::move(one));
  }
}

/// Path widths at a pair's records. Directions are named by the pair itself, not by what is measured before or with it.
void NetworkEvaluation::measure_width(Walked& walked, const std::function<void(double)>& progress) {
  const PlannedPair& planned = plan_[index(walked.key.first)][index(walked.key.second)];
  const Image source = to_image(*pictures_[index(walked.key.first)]);
  const Image target = to_image(*pictures_[index(planned.target)]);
  std::vector<WidthPoint> points;
  for (const WalkRecord& record : walked.result.records) {
    points.push_back({&record.image, &target, inputs_[index(walked.key.first)].predicted, &source, planned.occurrence});
  }
  WidthOptions options = WidthOptions::of(context_.parameters.walk);
  options.progress = progress;
  const Stopwatch watch(seconds_of_device_);
  walked.widths = path_widths(model_, points, options);
}

/// Hands a finished pair to the writer, which also makes its PNG files.
void NetworkEvaluation::store(Walked&& walked) {
  const PlannedPair& planned = plan_[index(walked.key.first)][index(walked.key.second)];
  auto stored = std::make_shared<StoredPair>();
  EvaluatedPair& pair = stored->pair;
  WalkResult& result = walked.result;
  pair.model = number_;
  std::tie(pair.source, pair.round) = walked.key;
  pair.target = planned.target;
  pair.source_class = inputs_[index(pair.source)].predicted;
  pair.target_class = inputs_[index(pair.target)].predicted;
  pair.source_probability = result.source_probability;
  pair.target_image_probability = inputs_[index(pair.target)].probability;
  pair.start_probability = result.start_probability;
  pair.probability = result.probability;
  pair.target_probability = result.target_probability;
  pair.probability_8bit = walked.probability_8bit;
  pair.outside = result.outside;
  pair.accepted = result.accepted;
  pair.rejected = result.rejected;
  pair.l2 = walked.distances.l2;
  pair.rmse = walked.distances.rmse;
  pair.linf = walked.distances.linf;
  pair.ssim = walked.distances.ssim;
  pair.lpips = walked.distances.lpips;
  const bool detailed = detailed_.contains(walked.key);
  auto pictures = std::make_shared<std::vector<Image>>();
  for (std::size_t i = 0; i < result.records.size(); ++i) {
    WalkRecord& record = result.records[i];
    pair.records.push_back({record.iteration, record.probability, record.target_probability, detailed, {}});
    if (i < walked.widths.size()) pair.records.back().width = std::move(walked.widths[i].radii);
    if (detailed) pictures->push_back(std::move(record.image));
  }
  auto final_image = std::make_shared<const Image>(std::move(result.final_image));
  const bool hulls_follow = context_.parameters.rounds > 1;
  if (hulls_follow) finals_.emplace(walked.key, *final_image);
  context_.writer->add([stored, pictures, final_image, hulls_follow](RunStore& store) {
    stored->final_png = encode_png(to_picture(*final_image));
    for (const Image& picture : *pictures) stored->record_pngs.push_back(encode_png(to_picture(picture)));
    if (hulls_follow) stored->final_image = *final_image;
    store.add_pair(*stored);
  });
}

/// The hulls of all sources whose rounds are done.
void NetworkEvaluation::finish_sources() {
  const std::int64_t rounds = context_.parameters.rounds;
  std::vector<EvaluatedHull> hulls;
  std::vector<Triangle> triangles;
  std::map<std::int64_t, Image> sources;
  for (const std::int64_t source : without_hulls_) {
    const auto first = finals_.lower_bound({source, 0});
    const auto last = finals_.lower_bound({source + 1, 0});
    if (rounds < 2 || std::distance(first, last) != rounds) continue;
    const Image& image = sources.emplace(source, to_image(*pictures_[index(source)])).first->second;
    const std::int32_t source_class = inputs_[index(source)].predicted;
    for (std::int64_t i = 0; i < rounds; ++i) {
      for (std::int64_t j = i + 1; j < rounds; ++j) {
        hulls.push_back({number_, source, i, j, source_class, {}});
        triangles.push_back({&image, &finals_.at({source, i}), &finals_.at({source, j}), source_class});
      }
    }
  }
  if (hulls.empty()) return;
  {
    const Stopwatch watch(seconds_of_device_);
    const EvaluationParameters& parameters = context_.parameters;
    const std::vector<TriangleHull> measured =
        triangle_hulls(model_, triangles, parameters.walk.mode, parameters.hull_divisions);
    for (std::size_t i = 0; i < hulls.size(); ++i) {
      for (const TrianglePoint& point : measured[i].points) hulls[i].probabilities.push_back(point.probability);
    }
  }
  for (const auto& [source, image] : sources) {
    auto of_source = std::make_shared<std::vector<EvaluatedHull>>();
    for (EvaluatedHull& hull : hulls) {
      if (hull.source == source) of_source->push_back(std::move(hull));
    }
    context_.writer->add([of_source](RunStore& store) { store.add_hulls(*of_source); });
    without_hulls_.erase(source);
    finals_.erase(finals_.lower_bound({source, 0}), finals_.lower_bound({source + 1, 0}));
  }
}

}  // namespace blindspot::evaluation
