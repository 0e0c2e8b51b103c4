// Level Set Traversal: its parameters and its results. Part of the public interface; uses the standard library only.
// Source: Balasubramanian et al., "Exploring Geometry of Blind Spots in Vision Models", NeurIPS 2023 (arXiv
// 2310.19889), Algorithm 1.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// `reference` does what the authors' code does, defects included; `standard` ("default" on the command line) mends
/// them.
enum class WalkMode : std::uint8_t { standard, reference };

/// Defaults are the paper's ImageNet run (preset `paper`).
struct WalkParameters {
  float step_size = 0.01F;          ///< η > 0
  std::int64_t iterations = 400;    ///< m ≥ 0
  float delta = 0.2F;               ///< δ in [0, 1]: confidence that may be lost
  bool adversarial = true;          ///< subtract the accumulated adversarial step
  float adversarial_step = 0.002F;  ///< a_max ≥ 0
  std::uint64_t seed = 0;
  std::int64_t record_every = 20;  ///< ≥ 1
  WalkMode mode = WalkMode::standard;

  static WalkParameters paper() { return {}; }
  static WalkParameters authors_default();  ///< η 0.05, m 100, δ 0.05, adversarial off, a_max 1/255
  /// Throws Error(usage) naming the option whose value is out of range.
  void check() const;
};

/// One walk to do. Images are [3, H, W] in [0, 1] at the network's input size.
struct WalkPair {
  const Image* source = nullptr;
  const Image* target = nullptr;
  std::int32_t source_class = 0;
  std::int32_t target_class = 0;
  std::uint64_t occurrence = 0;               ///< counts repetitions of the same two images, from 0
  const std::vector<float>* noise = nullptr;  ///< U of the noised start, [3, H, W] in [0, 1); null: the generator
};

/// Fills in `occurrence` of all pairs, in their order: how many before it have both images in common, by their pixels.
void count_occurrences(std::span<WalkPair> pairs);

struct WalkRecord {
  std::int64_t iteration = 0;
  float probability = 0;         ///< of the source's class, fp32
  float target_probability = 0;  ///< of the target's class, fp32
  Image image;                   ///< only if images of records are kept
};

struct WalkResult {
  float source_probability = 0;  ///< p0, on the clean source, fp32
  float start_probability = 0;   ///< after the noise
  float probability = 0;         ///< final, fp32
  float target_probability = 0;
  bool outside = false;  ///< p0 − probability ≥ δ when recomputed in fp32
  std::int64_t accepted = 0, rejected = 0;
  std::vector<WalkRecord> records;
  Image final_image;
  // Kept only when asked for (WalkOptions::keep_trace): for every iteration, the decision and p(x').
  std::vector<std::uint8_t> decisions;
  std::vector<float> candidate_probabilities;
  std::vector<Image> first_images;  ///< x after iterations 1 … trace_images
};

struct WalkProgress {
  std::int64_t pairs_done = 0, pairs = 0;
  std::int64_t iterations_done = 0, iterations = 0;  ///< over all pairs
};

struct WalkOptions {
  bool keep_record_images = true;
  /// Which of them, by iteration; empty: all.
  std::function<bool(std::int64_t iteration)> keeps_record_image;
  bool keep_trace = false;
  std::int64_t trace_images = 0;
  bool accept_every_step = false;  ///< measuring only: the dearest case
  /// Called between iterations, on the calling thread.
  std::function<void(const WalkProgress&)> progress;
  /// Called once for each finished pair, in the order in which they end.
  std::function<void(std::size_t pair, WalkResult&&)> finished;
  /// Asked several times an iteration; true ends the run: finished pairs have been reported, the others have not.
  std::function<bool()> cancelled;
};

}  // namespace blindspot
