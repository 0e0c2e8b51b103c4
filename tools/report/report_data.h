// What a report shows, wherever it came from: plain values, and images that are read when they are needed. Uses the
// public headers.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::tools::report {

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Confidence in the source's class at a distance from the path: 5 % and 95 % quantiles over directions; NaN where the
/// walk had lost its confidence.
struct WidthRow {
  double radius = 0, q05 = unknown, q95 = unknown;
};

struct Record {
  std::int64_t iteration = 0;
  double probability = unknown, target_probability = unknown;
  std::vector<WidthRow> width;  ///< empty: not measured
};

/// One end of a walk. Probabilities are NaN where the result has none.
struct Side {
  std::string path;
  std::int64_t class_index = 0;
  std::string label;             ///< the class's name, or "class 3"
  double probability = unknown;  ///< of that class, at the image itself
};

struct Pair {
  std::size_t run = 0;
  std::size_t round = 0;  ///< of an evaluation
  Side source, target;
  double start_probability = unknown, probability = unknown, target_probability = unknown;
  double probability_8bit = unknown;
  bool outside = false;
  double rmse = unknown, linf = unknown, ssim = unknown, lpips = unknown;
  std::int64_t accepted = 0, rejected = 0;
  std::vector<Record> records;

  double lost() const { return source.probability - probability; }
};

/// One network and the parameters of its walks.
struct Run {
  std::string model;  ///< what the page calls it; `facts` holds its name as the user gave it
  std::int64_t iterations = 0;
  double delta = unknown;
  std::vector<std::pair<std::string, std::string>> facts;  ///< what there is to say about it, in order
};

/// "resnet20" for "weights/resnet20.th": what tells networks apart where there is little room.
std::string short_model_name(const std::string& name);

struct HullPoint {
  double t1 = 0, t2 = 0, probability = unknown;
};

/// Confidence in the source's class over the triangle of a source and two images, with what was made of it.
struct Triangle {
  std::size_t run = 0;
  std::string source, first, second;  ///< what the corners are called
  std::string source_label;
  std::vector<HullPoint> points;
  double p_source = unknown, mean = unknown, edge_mean = unknown, edge_minimum = unknown;
  std::vector<std::pair<double, double>> fractions;  ///< (drop, fraction of points above p_source − drop)
};

struct NamedValue {
  std::string name;
  double mean = unknown, deviation = unknown;
};

/// A row of one of the paper's tables.
struct TableRow {
  std::string model;
  std::size_t sources = 0, pairs = 0;
  std::vector<NamedValue> distances, confidences;
};

struct ReportData {
  std::string title, origin;      ///< what it is about; the file or folder that it was read from
  std::string version;            ///< of the program that made the result
  bool interrupted = false;       ///< pairs are missing that the run was to have
  std::size_t pairs_planned = 0;  ///< how many those would be in all; 0: not known
  /// Of an evaluation: sources whose triangles were measured, and how many are to have them.
  std::size_t sources_with_triangles = 0, sources_planned = 0;
  std::int64_t part = 1, parts = 1;  ///< of an evaluation: its shard
  std::vector<Run> runs;
  std::vector<Pair> pairs;
  std::vector<Triangle> triangles;
  std::vector<TableRow> table;                                ///< empty: not an evaluation
  std::vector<std::pair<std::string, std::string>> left_out;  ///< source and reason
};

/// Where the pictures are, 8 bits a channel. Each that reads throws Error(input) naming the file.
class ReportInput {
 public:
  ReportInput() = default;
  ReportInput(const ReportInput&) = delete;
  ReportInput& operator=(const ReportInput&) = delete;
  virtual ~ReportInput() = default;

  virtual const ReportData& data() const = 0;
  /// Pairs that will be shown step by step. An input that has many triangles keeps those of their sources.
  virtual void choose(const std::vector<std::size_t>& detailed) { static_cast<void>(detailed); }
  virtual Picture source(std::size_t pair) const = 0;
  virtual Picture target(std::size_t pair) const = 0;
  virtual Picture final_picture(std::size_t pair) const = 0;
  /// Whether the walk's images on the way were kept, at least some.
  virtual bool has_path(std::size_t pair) const = 0;
  /// One a record, those empty that were not kept.
  virtual std::vector<Picture> path(std::size_t pair) const = 0;
  /// Source, first and second corner.
  virtual std::array<Picture, 3> corners(std::size_t triangle) const = 0;
};

}  // namespace blindspot::tools::report
