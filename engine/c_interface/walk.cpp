// The C interface: walks. Uses the public C++ interface.
#include <algorithm>
#include <utility>

#include "engine/c_interface/calls.h"
#include "engine/c_interface/model_handle.h"

/// `finished[i]`: results[i] is there.
struct blindspot_walks {
  std::vector<blindspot::WalkResult> results;
  std::vector<bool> finished;
  std::vector<std::int32_t> source_classes, target_classes;
};

namespace blindspot::c_interface {
namespace {

blindspot_walk_parameters default_parameters() {
  const WalkParameters paper = WalkParameters::paper();
  blindspot_walk_parameters parameters{};
  parameters.size = sizeof(parameters);
  parameters.iterations = paper.iterations;
  parameters.record_every = paper.record_every;
  parameters.seed = paper.seed;
  parameters.step_size = paper.step_size;
  parameters.delta = paper.delta;
  parameters.adversarial_step = paper.adversarial_step;
  parameters.adversarial = paper.adversarial ? 1 : 0;
  parameters.mode = BLINDSPOT_STANDARD;
  return parameters;
}

WalkParameters parameters_of(const blindspot_walk_parameters* wanted) {
  const blindspot_walk_parameters given = read_struct(wanted, "parameters", default_parameters());
  WalkParameters parameters;
  parameters.iterations = given.iterations;
  parameters.record_every = given.record_every;
  parameters.seed = given.seed;
  parameters.step_size = given.step_size;
  parameters.delta = given.delta;
  parameters.adversarial_step = given.adversarial_step;
  parameters.adversarial = given.adversarial != 0;
  parameters.mode = mode_of(given.mode);
  parameters.check();
  return parameters;
}

std::vector<std::int32_t> classes_of(Model& model, const std::vector<Image>& images, const std::int32_t* given) {
  if (given != nullptr) return {given, given + images.size()};
  std::vector<std::int32_t> classes;
  for (const std::vector<float>& row : model.logits(pointers_to(images))) classes.push_back(predicted_class(row));
  return classes;
}

WalkOptions callbacks_of(const blindspot_walk_options& given) {
  WalkOptions options;
  options.keep_record_images = given.keep_record_images != 0;
  if (given.progress != nullptr) {
    options.progress = [given](const WalkProgress& at) {
      given.progress(given.context, at.iterations_done, at.iterations, at.pairs_done, at.pairs);
    };
  }
  if (given.cancelled != nullptr) options.cancelled = [given] { return given.cancelled(given.context) != 0; };
  return options;
}

void check_noise(const std::vector<float>& noise) {
  if (std::all_of(noise.begin(), noise.end(), [](float value) { return value >= 0 && value < 1; })) return;
  throw Error(ErrorKind::usage, "noise: every number must be at least 0 and below 1");
}

/// False: stopped.
bool walk_all(Model& model, const std::vector<Image>& sources, const std::vector<Image>& targets,
              const WalkParameters& parameters, const blindspot_walk_options& given, blindspot_walks& walks) {
  std::vector<std::vector<float>> noise;
  noise.reserve(sources.size());
  std::vector<WalkPair> pairs;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    pairs.push_back({&sources[i], &targets[i], walks.source_classes[i], walks.target_classes[i], 0, nullptr});
    if (given.noise == nullptr) continue;
    noise.push_back(image_of(given.noise, i, sources[i].height, sources[i].width).values);
    check_noise(noise.back());
    pairs.back().noise = &noise.back();
  }
  count_occurrences(pairs);
  WalkOptions options = callbacks_of(given);
  options.finished = [&walks](std::size_t pair, WalkResult&& result) {
    walks.results[pair] = std::move(result);
    walks.finished[pair] = true;
  };
  return model.walk(pairs, parameters, options);
}

const WalkResult& finished_walk(const blindspot_walks* walks, std::size_t pair) {
  need(walks, "walks");
  if (pair >= walks->results.size()) {
    throw Error(ErrorKind::usage, "pair " + std::to_string(pair) + ": there are " +
                                      std::to_string(walks->results.size()) + ", counted from 0");
  }
  if (!walks->finished[pair]) {
    throw Error(ErrorKind::usage, "pair " + std::to_string(pair) + ": was stopped before its end");
  }
  return walks->results[pair];
}

}  // namespace
}  // namespace blindspot::c_interface

using namespace blindspot::c_interface;

void blindspot_walk_parameters_default(blindspot_walk_parameters* parameters) {
  guarded(nullptr, [&] { write_struct(default_parameters(), parameters, "parameters"); });
}

blindspot_status blindspot_traverse(blindspot_model* model, const float* sources, const float* targets,
                                    const int32_t* source_classes, const int32_t* target_classes, size_t count,
                                    const blindspot_walk_parameters* parameters, const blindspot_walk_options* options,
                                    blindspot_walks** walks, blindspot_error* error) {
  return guarded(error, [&] {
    need(walks, "walks");
    *walks = nullptr;
    need(model, "model");
    const blindspot::WalkParameters checked = parameters_of(parameters);
    const blindspot_walk_options given = read_struct(options, "options", blindspot_walk_options{});
    const std::vector<blindspot::Image> from = images_of(sources, count, model->input_size(), "sources");
    const std::vector<blindspot::Image> to = images_of(targets, count, model->input_size(), "targets");
    auto made = std::make_unique<blindspot_walks>();
    made->results.resize(count);
    made->finished.resize(count);
    made->source_classes.resize(count);
    made->target_classes.resize(count);
    bool done = false;
    try {
      made->source_classes = classes_of(model->model, from, source_classes);
      made->target_classes = classes_of(model->model, to, target_classes);
      done = walk_all(model->model, from, to, checked, given, *made);
    } catch (const blindspot::Stopped&) {
      // The model's own callback: the pairs that have ended are given all the same.
    }
    *walks = made.release();
    if (!done) throw blindspot::Stopped();
  });
}

void blindspot_walks_free(blindspot_walks* walks) {
  delete walks;
}

blindspot_status blindspot_walk_get(const blindspot_walks* walks, size_t pair, blindspot_walk_result* result,
                                    blindspot_error* error) {
  return guarded(error, [&] {
    need(walks, "walks");
    blindspot_walk_result found{};
    if (pair >= walks->results.size() || walks->finished[pair]) {
      const blindspot::WalkResult& walk = finished_walk(walks, pair);
      found.finished = 1;
      found.accepted = walk.accepted;
      found.rejected = walk.rejected;
      found.record_count = walk.records.size();
      found.outside = walk.outside ? 1 : 0;
      found.source_probability = walk.source_probability;
      found.start_probability = walk.start_probability;
      found.probability = walk.probability;
      found.target_probability = walk.target_probability;
    }
    found.source_class = walks->source_classes[pair];
    found.target_class = walks->target_classes[pair];
    write_struct(found, result, "result");
  });
}

blindspot_status blindspot_walk_image(const blindspot_walks* walks, size_t pair, float* image, blindspot_error* error) {
  return guarded(error, [&] {
    need(image, "image");
    const std::vector<float>& values = finished_walk(walks, pair).final_image.values;
    std::copy(values.begin(), values.end(), image);
  });
}

blindspot_status blindspot_walk_records(const blindspot_walks* walks, size_t pair, int64_t* iterations,
                                        float* probabilities, float* target_probabilities, blindspot_error* error) {
  return guarded(error, [&] {
    const std::vector<blindspot::WalkRecord>& records = finished_walk(walks, pair).records;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (iterations != nullptr) iterations[i] = records[i].iteration;
      if (probabilities != nullptr) probabilities[i] = records[i].probability;
      if (target_probabilities != nullptr) target_probabilities[i] = records[i].target_probability;
    }
  });
}

blindspot_status blindspot_walk_record_image(const blindspot_walks* walks, size_t pair, size_t record, float* image,
                                             blindspot_error* error) {
  return guarded(error, [&] {
    need(image, "image");
    const std::vector<blindspot::WalkRecord>& records = finished_walk(walks, pair).records;
    if (record >= records.size() || records[record].image.values.empty()) {
      throw blindspot::Error(
          blindspot::ErrorKind::usage,
          "record " + std::to_string(record) + ": has no image; keep_record_images keeps those of all records");
    }
    const std::vector<float>& values = records[record].image.values;
    std::copy(values.begin(), values.end(), image);
  });
}
