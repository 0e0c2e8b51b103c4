// Implementation of database_input.h.
#include "tools/report/database_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "blindspot/evaluation.h"
#include "blindspot/hull.h"
#include "tools/json_output.h"
#include "tools/report/class_labels.h"

namespace blindspot::tools::report {

namespace {

double value_or_unknown(const std::optional<double>& value) {
  return value.value_or(unknown);
}

NamedValue named(std::string name, const std::optional<MeanDeviation>& value) {
  if (!value) return {std::move(name), unknown, unknown};
  return {std::move(name), value->mean, value->deviation};
}

TableRow table_row_of(const blindspot::TableRow& row) {
  TableRow result{row.model, static_cast<std::size_t>(row.sources), static_cast<std::size_t>(row.pairs), {}, {}};
  result.distances = {named("RMSE", row.rmse), named("L∞", row.linf), named("SSIM", row.ssim),
                      named("LPIPS", row.lpips)};
  if (!row.confidences) return result;
  const blindspot::TableRow::Confidences& confidences = *row.confidences;
  result.confidences = {named("p₀", confidences.p_source), named("triangle mean", confidences.mean)};
  for (std::size_t i = 0; i < confidence_drops.size(); ++i) {
    result.confidences.push_back(
        named(fmt::format("share, δ = {:.1f}", confidence_drops[i]), confidences.fractions[i]));
  }
  result.confidences.push_back(named("path mean", confidences.edge_mean));
  return result;
}

/// A place of the database's pictures.
struct PictureKey {
  std::int64_t source = 0, round = 0, target = 0;
};

class DatabaseInput final : public ReportInput {
 public:
  DatabaseInput(const std::string& path, const std::string& class_names)
      : database_(RunDatabase::open(path)), shard_(database_.shard()) {
    for (const EvaluatedImage& image : database_.images()) names_[image.number] = image.name;
    const std::map<std::string, std::string> settings = database_.settings();
    const auto version = settings.find("version");
    data_.version = version == settings.end() ? "unknown" : version->second;
    data_.origin = path;
    std::vector<std::string> models;
    for (const EvaluatedModel& model : database_.models()) models.push_back(model.information.name);
    const std::vector<std::string> labels = distinct_model_names(models);
    for (std::size_t i = 0; i < models.size(); ++i) labels_of_models_[models[i]] = labels[i];
    for (const EvaluatedModel& model : database_.models()) add_model(model, class_names, settings);
    data_.interrupted = data_.pairs.size() != data_.pairs_planned;
    data_.part = shard_.number;
    data_.parts = shard_.count;
    for (const auto& [name, reason] : database_.unreadable()) data_.left_out.emplace_back(name, reason);
    for (const Run& run : data_.runs) data_.title += (data_.title.empty() ? "" : ", ") + run.model;
    for (const blindspot::TableRow& row : table_rows(database_, database_.parameters().walk.mode)) {
      data_.table.push_back(table_row_of(row));
      data_.table.back().model = labels_of_models_.at(row.model);
    }
  }

  const ReportData& data() const override { return data_; }
  Picture source(std::size_t pair) const override { return input(model_of(pair), keys_.at(pair).source); }
  Picture target(std::size_t pair) const override { return input(model_of(pair), keys_.at(pair).target); }
  Picture final_picture(std::size_t pair) const override {
    return final_of(model_of(pair), keys_.at(pair).source, keys_.at(pair).round);
  }
  bool has_path(std::size_t pair) const override { return has_path_.at(pair); }

  std::vector<Picture> path(std::size_t pair) const override {
    std::vector<Picture> pictures;
    for (const Record& record : data_.pairs.at(pair).records) {
      const std::vector<std::uint8_t> png =
          database_.record_png(model_of(pair), keys_.at(pair).source, keys_.at(pair).round, record.iteration);
      pictures.push_back(png.empty() ? Picture{} : decode(png, "the picture of a record"));
    }
    return pictures;
  }

  std::array<Picture, 3> corners(std::size_t triangle) const override {
    const EvaluatedHull& hull = hulls_.at(triangle);
    return {input(hull.model, hull.source), final_of(hull.model, hull.source, hull.first_round),
            final_of(hull.model, hull.source, hull.second_round)};
  }

  void choose(const std::vector<std::size_t>& detailed) override {
    std::set<WalkKey> without;
    for (const std::size_t pair : detailed) without.insert(walk_of(pair));
    std::map<std::int64_t, std::vector<EvaluatedHull>> of_models;
    for (const EvaluatedModel& model : database_.models()) of_models[model.number] = database_.hulls(model.number);
    for (const std::size_t pair : detailed) {
      const auto [model, source, round] = walk_of(pair);
      if (!without.contains({model, source, round})) continue;  // in the triangle of an earlier one
      const EvaluatedHull* chosen = nullptr;
      for (const EvaluatedHull& hull : of_models[model]) {
        if (hull.source != source || (hull.first_round != round && hull.second_round != round)) continue;
        const std::int64_t other = hull.first_round == round ? hull.second_round : hull.first_round;
        const bool serves_two = without.contains({model, source, other});
        if (chosen == nullptr || serves_two) chosen = &hull;
        if (serves_two) break;
      }
      if (chosen == nullptr) continue;
      add_triangle(*chosen);
      without.erase({model, source, chosen->first_round});
      without.erase({model, source, chosen->second_round});
    }
  }

 private:
  using WalkKey = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // model, source, round

  WalkKey walk_of(std::size_t pair) const { return {model_of(pair), keys_.at(pair).source, keys_.at(pair).round}; }
  std::int64_t model_of(std::size_t pair) const { return model_numbers_.at(data_.pairs.at(pair).run); }

  Picture decode(const std::vector<std::uint8_t>& png, const std::string& what) const {
    return decode_picture(png, database_.path().string() + ", " + what);
  }
  Picture input(std::int64_t model, std::int64_t image) const {
    return decode(database_.input_png(model, image), names_.at(image));
  }
  Picture final_of(std::int64_t model, std::int64_t source, std::int64_t round) const {
    return decode(database_.final_png(model, source, round),
                  fmt::format("the end of {}, round {}", names_.at(source), round));
  }

  void add_model(const EvaluatedModel& model, const std::string& class_names,
                 const std::map<std::string, std::string>& settings) {
    const ModelInformation& information = model.information;
    Run run;
    run.model = labels_of_models_.at(information.name);
    run.iterations = database_.parameters().walk.iterations;
    run.delta = database_.parameters().walk.delta;
    run.facts = {{"name", information.name},
                 {"architecture", information.architecture},
                 {"sha256", information.sha256.empty() ? "made from the weight rule" : information.sha256},
                 {"weights_sha256", information.weights_sha256},
                 {"preprocessing", to_json(information.preprocessing).dump()},
                 {"device", model.device},
                 {"device_description", model.device_description},
                 {"precision", to_string(model.precision)},
                 {"batch", std::to_string(model.batch)},
                 {"threads", std::to_string(model.threads)}};
    for (const auto& [name, value] : settings) run.facts.emplace_back(name, value);
    data_.runs.push_back(std::move(run));
    model_numbers_.push_back(model.number);
    labels_.push_back(class_names.empty() && !information.classes.empty() ? ClassLabels(information.classes)
                                                                          : ClassLabels(class_names, information.name));
    const auto rounds = static_cast<std::size_t>(database_.parameters().rounds);
    for (const EvaluatedInput& seen : database_.inputs(model.number)) {
      if (seen.dropped_reason.empty()) {
        if (!shard_.has(seen.image)) continue;
        data_.pairs_planned += rounds;
        if (rounds > 1) ++data_.sources_planned;
        continue;
      }
      data_.left_out.emplace_back(labels_of_models_.at(information.name) + ": " + names_.at(seen.image),
                                  seen.dropped_reason);
    }
    for (const EvaluatedPair& pair : database_.pairs(model.number)) add_pair(pair);
    data_.sources_with_triangles += database_.sources_with_hulls(model.number).size();
  }

  void add_pair(const EvaluatedPair& pair) {
    const ClassLabels& labels = labels_.back();
    Pair result;
    result.run = data_.runs.size() - 1;
    result.round = static_cast<std::size_t>(pair.round);
    result.source = {names_.at(pair.source), pair.source_class, labels.label(pair.source_class),
                     pair.source_probability};
    result.target = {names_.at(pair.target), pair.target_class, labels.label(pair.target_class),
                     pair.target_image_probability};
    result.start_probability = pair.start_probability;
    result.probability = pair.probability;
    result.target_probability = pair.target_probability;
    result.probability_8bit = pair.probability_8bit;
    result.outside = pair.outside;
    result.rmse = pair.rmse;
    result.linf = pair.linf;
    result.ssim = value_or_unknown(pair.ssim);
    result.lpips = value_or_unknown(pair.lpips);
    result.accepted = pair.accepted;
    result.rejected = pair.rejected;
    bool pictures = false;
    for (const EvaluatedRecord& record : pair.records) {
      result.records.push_back({record.iteration, record.probability, record.target_probability, {}});
      for (const WidthRadius& radius : record.width) {
        result.records.back().width.push_back({radius.radius, radius.q05, radius.q95});
      }
      pictures = pictures || record.has_picture;
    }
    data_.pairs.push_back(std::move(result));
    keys_.push_back({pair.source, pair.round, pair.target});
    has_path_.push_back(pictures);
  }

  void add_triangle(const EvaluatedHull& hull) {
    const EvaluationParameters parameters = database_.parameters();
    const std::vector<std::array<double, 2>> grid = triangle_grid(parameters.hull_divisions, parameters.walk.mode);
    if (grid.size() != hull.probabilities.size()) return;
    std::vector<TrianglePoint> points;
    Triangle triangle;
    triangle.run = static_cast<std::size_t>(std::find(model_numbers_.begin(), model_numbers_.end(), hull.model) -
                                            model_numbers_.begin());
    for (std::size_t i = 0; i < grid.size(); ++i) {
      points.push_back({grid[i][0], grid[i][1], hull.probabilities[i]});
      triangle.points.push_back({grid[i][0], grid[i][1], hull.probabilities[i]});
    }
    const HullMetrics metrics = hull_metrics(points);
    triangle.source = names_.at(hull.source);
    triangle.first = end_name(hull, hull.first_round);
    triangle.second = end_name(hull, hull.second_round);
    triangle.source_label = labels_.at(triangle.run).label(hull.source_class);
    triangle.p_source = metrics.p_source;
    triangle.mean = metrics.mean;
    triangle.edge_mean = metrics.edge_mean;
    triangle.edge_minimum = metrics.edge_minimum;
    for (std::size_t i = 0; i < confidence_drops.size(); ++i) {
      triangle.fractions.emplace_back(confidence_drops[i], metrics.fractions[i]);
    }
    data_.triangles.push_back(std::move(triangle));
    hulls_.push_back(hull);
  }

  /// What the walk of that round went to.
  std::string end_name(const EvaluatedHull& hull, std::int64_t round) const {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (model_of(i) == hull.model && keys_[i].source == hull.source && keys_[i].round == round) {
        return "walked towards " + data_.pairs[i].target.label + " (" + data_.pairs[i].target.path + ")";
      }
    }
    return fmt::format("round {}", round);
  }

  RunDatabase database_;
  Shard shard_;
  ReportData data_;
  std::map<std::string, std::string> labels_of_models_;
  std::map<std::int64_t, std::string> names_;  // of images
  std::vector<std::int64_t> model_numbers_;    // of runs
  std::vector<ClassLabels> labels_;            // of runs
  std::vector<PictureKey> keys_;               // of pairs
  std::vector<bool> has_path_;                 // of pairs
  std::vector<EvaluatedHull> hulls_;           // of triangles
};

}  // namespace

std::unique_ptr<ReportInput> open_database(const std::string& path, const std::string& class_names) {
  return std::make_unique<DatabaseInput>(path, class_names);
}

}  // namespace blindspot::tools::report
