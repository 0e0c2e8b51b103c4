// Walks between images, from a plan to what stands in a result: shared by traverse, grid and demo. Uses the public
// headers and progress.h.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "blindspot/distances.h"
#include "blindspot/model.h"
#include "blindspot/weights.h"
#include "blindspot/width.h"
#include "tools/image_store.h"
#include "tools/participants.h"
#include "tools/progress.h"

namespace blindspot::tools {

struct PairNumbers {
  std::size_t source = 0, target = 0;  ///< I and J of final-I-J.png
};

struct DroppedSource {
  std::string path, reason;
};

/// What is to be walked. `sources` and `targets` may hold the same images (grid).
struct WalkPlan {
  std::vector<Participant> sources, targets;
  std::vector<PairNumbers> pairs;  ///< in the order of result.json
  std::vector<DroppedSource> dropped;
  WalkParameters parameters;
  std::string noise_file;                 ///< empty: the generator
  std::vector<std::int64_t> noise_shape;  ///< what `load_noise` read from it
  std::vector<std::vector<float>> noise;  ///< a row for each pair
  bool keep_path = false;
  bool width = false;    ///< path width at every record
  bool animate = false;  ///< the images of all records are there when a pair ends
};

/// A pair that was walked to its end.
struct WalkedPair {
  PairNumbers numbers;
  std::size_t number = 0;                  ///< of the pair in the plan
  WalkResult result;                       ///< without its images
  std::size_t final_image = 0;             ///< its number in the store
  std::vector<std::size_t> record_images;  ///< with keep_path or width
  float probability_8bit = std::numeric_limits<float>::quiet_NaN();
  double rmse = 0, linf = 0;  ///< of the final image, to the target
  std::optional<double> ssim, lpips;
  std::vector<PathWidth> widths;  ///< one a record, with width
};

/// Reads plan.noise_file, if there is one, and checks all but the number of rows: before any work. Throws Error(input).
void load_noise(WalkPlan& plan, int side);

/// Iterations of the records that path-I-J.png shows: up to eleven, evenly spaced, the first and the last among them.
std::vector<std::int64_t> shown_iterations(const WalkParameters& parameters);

/// All (i, j) with i ≠ j, source-major: what a grid of `count` images walks.
std::vector<PairNumbers> every_ordered_pair(std::size_t count);

/// Called for each pair when it ends, while the images of its records are there.
using PairEnded = std::function<void(const PairNumbers& numbers, const WalkResult& result)>;

/// Pairs that were walked to their end, in the plan's order.
struct WalkedPairs {
  std::vector<WalkedPair> pairs;
  /// false: a signal or a fault of the device kept some from being walked, or from being measured (8 bits: NaN).
  bool complete = false;
  std::string fault;  ///< what the device said when it failed, after which no more could be walked; else empty
};

/// Walks and measures, distances with `distances`; images go into `store`. Throws Error(input) for a noise file with
/// another number of rows, and Error(device) if the device fails before any pair has ended.
WalkedPairs walk_all(Model& model, DistanceMeasure& distances, const WalkPlan& plan, ImageStore& store, bool quiet,
                     const PairEnded& pair_ended);

}  // namespace blindspot::tools
