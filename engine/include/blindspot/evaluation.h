// The paper's evaluation: many sources, rounds of random targets, walks, distances, hulls, all kept in one run database
// that survives being killed; and reading such a database again. Part of the public interface.
// Source of the protocol: Balasubramanian et al., NeurIPS 2023 (arXiv 2310.19889), section 5 and tables 1 and 2.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/model.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"
#include "blindspot/walk.h"
#include "blindspot/width.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// What decides the content of a run database, beside images and weights.
struct EvaluationParameters {
  WalkParameters walk;
  std::int64_t rounds = 5;           ///< ≥ 1; each assigns every source another source as its target
  std::int64_t limit = 0;            ///< sources at the most, the first in seeded order; 0: all
  std::int64_t detailed_pairs = 20;  ///< of each network, the pictures of whose records are kept
  bool width = false;                ///< path widths, as WidthOptions has them, at every record of the detailed pairs
  int hull_divisions = 10;           ///< k of the triangle's grid, (k+1)(k+2)/2 points

  /// Throws Error(usage) naming the option whose value is out of range.
  void check() const;
};

/// Part `number` of `count` of an evaluation, by source: source i belongs to part i mod count + 1.
struct Shard {
  std::int64_t number = 1, count = 1;

  /// Whether the walks from this image are of this part.
  bool has(std::int64_t image) const { return image % count == number - 1; }
  bool operator==(const Shard&) const = default;
};
/// "2/4". Throws Error(usage) unless it is i/n with 1 ≤ i ≤ n.
Shard shard_from(const std::string& text);

struct EvaluationProgress {
  std::string model;                                 ///< empty while images are read for a run that goes on
  std::int64_t images_done = 0, images = 0;          ///< read, or classified by `model`, before its walks; in these 0
  std::int64_t pairs_done = 0, pairs = 0;            ///< of all networks and this shard, earlier starts included
  std::int64_t iterations_done = 0, iterations = 0;  ///< over all pairs that this start has to do
  /// Set while path widths are measured: the share that is done of those that this start has to measure for `model`.
  std::optional<double> widths_done;
  /// Pairs whose path widths this start has still to measure, of all networks, a part of the one in work counted; and
  /// the forward passes that one of them takes.
  double widths_left = 0;
  std::int64_t passes_of_width = 0;
};

struct EvaluationOptions {
  /// As Model::open takes them. A run that goes on knows a network by its weights, wherever they lie now, and keeps the
  /// name that it had.
  std::vector<std::string> models;
  /// Of each; `cancelled` is overwritten. Where a run goes on, device, precision, batch and threads that are not given
  /// (auto, unset, 0) are the recorded ones, and others are refused.
  ModelOptions network;
  EvaluationParameters parameters;
  /// A folder of class folders (their sorted names are the classes 0 …; one that has the name of another of a
  /// network's classes is refused); a folder of images, with `labels` or, without,
  /// each network's own prediction as class; or a list file, a line an image: path, relative to the list's folder,
  /// and, if all lines have one, white space and the class.
  std::filesystem::path images;
  std::filesystem::path labels;    ///< lines of file name and class, for a folder of images; empty: none
  std::filesystem::path lpips;     ///< LPIPS file; empty: none, LPIPS is then null
  std::filesystem::path database;  ///< made if it does not exist, else gone on with
  Shard shard;
  Cancelled cancelled;
  std::function<void(const EvaluationProgress&)> progress;
  std::function<void(const std::string&)> message;  ///< one line for the user
};

struct EvaluationSummary {
  std::int64_t pairs = 0, pairs_done = 0;                       ///< of this shard and all networks
  std::int64_t pairs_before = 0;                                ///< that an earlier start had done
  std::int64_t outside = 0;                                     ///< final images outside p0 − δ
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< image, reason
  std::vector<std::pair<std::string, std::string>> dropped;     ///< "network: image", reason
  std::vector<std::string> without_sources;                     ///< networks that keep no source of this shard
  std::vector<std::string> not_begun;                           ///< networks that the database does not know yet
  bool stopped = false;                                         ///< by `cancelled`; the same call goes on
  double seconds = 0;      ///< from the first image's reading to the last pair's writing, all networks opened before
  double device_busy = 0;  ///< share of them in classifying, walks, distances, path widths and triangles
};

/// Runs or goes on with an evaluation. Everything that is finished is in the database when it returns or throws. Throws
/// Error(usage) for parameters that differ from those of the database, Error(input) for images, weights and databases
/// that cannot be used (another program's, a newer schema, locked, read-only, disk full), Error(device).
EvaluationSummary evaluate(const EvaluationOptions& options);

/// What an evaluation will take, from a few iterations of each network.
struct EvaluationEstimate {
  std::int64_t sources = 0, pairs = 0;
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< image, reason
  struct Network {
    std::string name;
    std::int64_t dropped = 0, pairs = 0, batch = 0;
    double seconds = 0;
    std::uint64_t device_bytes = 0;
  };
  std::vector<Network> networks;
  double seconds = 0;
  std::uint64_t memory_bytes = 0;  ///< of the host, the most that the process has at once
  std::uint64_t disk_bytes = 0;    ///< of the finished database
};
/// Touches no database.
EvaluationEstimate estimate_evaluation(const EvaluationOptions& options);

/// Joins the shards 1 … n of one evaluation, in any order, into a new database: the unsharded run's, value for value;
/// where a shard is unfinished, `evaluate` goes on with the result. Weights may have had other names and places for
/// each shard; the first of the shards with the most networks tells what they are called. Throws Error(usage) where a
/// shard is missing, twice, or of another evaluation (column, both values and both files named), Error(input) as
/// `evaluate` does.
void merge_evaluations(const std::vector<std::filesystem::path>& shards, const std::filesystem::path& merged,
                       const Cancelled& cancelled = {});

// --- reading ---------------------------------------------------------------------------------------------------------

struct EvaluatedModel {
  std::int64_t number = 0;
  ModelInformation information;
  std::string device, device_description;
  Precision precision = Precision::fp32;
  std::int64_t batch = 0, slice = 0;
  int threads = 0;
};

/// An image of the list from which sources and targets come, in seeded order.
struct EvaluatedImage {
  std::int64_t number = 0;
  std::string name;                   ///< path within the folder of images
  std::optional<std::int32_t> label;  ///< its class; unset: each network's own prediction
  std::string sha256;                 ///< of the file
};

/// What a network makes of an image.
struct EvaluatedInput {
  std::int64_t image = 0;
  std::int32_t predicted = 0;
  float probability = 0;       ///< of that class
  std::string dropped_reason;  ///< not empty: no source of this network
};

/// A walk's record or end. Numbers are NaN where there is none (mode reference).
struct EvaluatedRecord {
  std::int64_t iteration = 0;
  float probability = 0, target_probability = 0;
  bool has_picture = false;
  std::vector<WidthRadius> width;  ///< around its image; empty: not measured, or the confidence was below δ
};

struct EvaluatedPair {
  std::int64_t model = 0, source = 0, round = 0, target = 0;  ///< numbers of model and images; round from 0
  std::int32_t source_class = 0, target_class = 0;
  float source_probability = 0;                                         ///< p0
  float target_image_probability = 0;                                   ///< of target_class at the target image
  float start_probability = 0;                                          ///< after the noise
  float probability = 0, target_probability = 0, probability_8bit = 0;  ///< of the final image
  bool outside = false;
  std::int64_t accepted = 0, rejected = 0;
  double l2 = 0, rmse = 0, linf = 0;  ///< final image to the target
  std::optional<double> ssim, lpips;
  std::vector<EvaluatedRecord> records;  ///< ascending
};

/// Confidences of the source's class over the triangle of source and the outputs of two rounds.
struct EvaluatedHull {
  std::int64_t model = 0, source = 0, first_round = 0, second_round = 0;
  std::int32_t source_class = 0;
  std::vector<float> probabilities;  ///< in the grid order of lst.md: t1 outer, t2 inner; see triangle_grid of hull.h
};

/// A run database, read only; may be read while another process writes it. All lists are in the order of their numbers,
/// whatever the order of work. PNG files come as their bytes, empty where there is none.
class RunDatabase {
 public:
  /// Throws Error(input): missing, not a run database, a newer schema.
  static RunDatabase open(const std::filesystem::path& path);
  RunDatabase(RunDatabase&&) noexcept;
  RunDatabase& operator=(RunDatabase&&) noexcept;
  ~RunDatabase();

  const std::filesystem::path& path() const;
  EvaluationParameters parameters() const;
  Shard shard() const;
  /// All that was recorded of the run, by name: parameters, `version`, `lpips_sha256`, ….
  std::map<std::string, std::string> settings() const;
  std::vector<EvaluatedModel> models() const;
  std::vector<EvaluatedImage> images() const;
  std::vector<std::pair<std::string, std::string>> unreadable() const;  ///< image, reason
  std::vector<EvaluatedInput> inputs(std::int64_t model) const;
  /// Finished pairs by source, then round. `records` of all are read with them.
  std::vector<EvaluatedPair> pairs(std::int64_t model) const;
  /// Of sources whose rounds are all done, by source, first round, second round.
  std::vector<EvaluatedHull> hulls(std::int64_t model) const;
  /// Those sources alone, without reading the triangles.
  std::set<std::int64_t> sources_with_hulls(std::int64_t model) const;
  /// Images that the target selection chooses (up to `count`, 0: all): in seeded order the first of each class that
  /// every network in the database classifies right with p > 0.6; without labels, that all take for the same class.
  std::vector<std::int64_t> selected_targets(std::int64_t count) const;

  /// PNG of an image as the network sees it.
  std::vector<std::uint8_t> input_png(std::int64_t model, std::int64_t image) const;
  std::vector<std::uint8_t> final_png(std::int64_t model, std::int64_t source, std::int64_t round) const;
  std::vector<std::uint8_t> record_png(std::int64_t model, std::int64_t source, std::int64_t round,
                                       std::int64_t iteration) const;

  /// SHA-256 over every value of the database in the order of their numbers: equal for runs that were interrupted,
  /// sharded or worked in another order.
  std::string content_sha256() const;

 private:
  struct Implementation;
  explicit RunDatabase(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

// --- tables ----------------------------------------------------------------------------------------------------------

struct MeanDeviation {
  double mean = 0, deviation = 0;  ///< NaN where there are too few values
};

/// A row of the paper's tables 1 and 2.
struct TableRow {
  std::string model;
  std::int64_t sources = 0, pairs = 0;
  /// Final image against target over all pairs, sample standard deviation (ddof 1); unset where a pair has none.
  std::optional<MeanDeviation> rmse, linf, ssim, lpips;
  /// Per source the mean over the pairs of rounds (of edge_minimum the minimum), then over sources with the population
  /// standard deviation (ddof 0). Unset where no source has a hull.
  struct Confidences {
    MeanDeviation p_source, mean;
    std::array<MeanDeviation, 4> fractions;  ///< above p_source − 0, 0.1, 0.2, 0.3
    MeanDeviation edge_mean, edge_minimum;
  };
  std::optional<Confidences> confidences;
};

/// What a row is made of, wherever it comes from.
struct TableInput {
  std::string model;
  std::int64_t sources = 0;
  struct Distance {
    double rmse = 0, linf = 0;
    std::optional<double> ssim, lpips;
  };
  std::vector<Distance> distances;  ///< of each pair
  /// [source][pair of rounds]: confidences in grid order of WalkMode::standard (or of `reference`, if they were
  /// recorded so).
  std::vector<std::vector<std::vector<float>>> hulls;
  int hull_divisions = 10;
};

/// `mode`: reference leaves out what the authors' grid lacks.
TableRow table_row(const TableInput& input, WalkMode mode);
/// A row a network.
std::vector<TableRow> table_rows(const RunDatabase& database, WalkMode mode);

}  // namespace blindspot
