// Path widths in a run database: that they are those of the walks, do not depend on the order of work, are a setting of
// the run, and that a database without them is what it was before there were any.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "blindspot/width.h"
#include "engine/evaluation/run_settings.h"
#include "tests/evaluation/run_sql.h"
#include "tests/evaluation/workplace.h"

using namespace blindspot;
using tests::content;
using tests::refusal;
using tests::run_sql;
using tests::Workplace;

namespace {

/// Two of the six pairs have widths, one of each shard of two; a record each, as each is a thousand forward passes.
EvaluationOptions with_widths(const Workplace& place, const std::string& database) {
  EvaluationOptions options = place.options(database);
  options.parameters.walk.iterations = 0;
  options.parameters.rounds = 1;
  options.parameters.detailed_pairs = 2;
  options.parameters.width = true;
  return options;
}

bool same_width(const std::vector<WidthRadius>& a, const std::vector<WidthRadius>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const WidthRadius& x, const WidthRadius& y) {
    return x.radius == y.radius && x.q05 == y.q05 && x.q95 == y.q95;
  });
}

/// What `path_widths` finds at the records of that walk, made anew.
std::vector<PathWidth> widths_of_walk(Model& model, const RunDatabase& run, const EvaluatedPair& pair) {
  const Image source = to_image(decode_picture(run.input_png(0, pair.source), "source"));
  const Image target = to_image(decode_picture(run.input_png(0, pair.target), "target"));
  WalkPair walk;
  walk.source = &source;
  walk.target = &target;
  walk.source_class = pair.source_class;
  walk.target_class = pair.target_class;
  std::vector<WidthPoint> points;
  WalkResult result;
  WalkOptions options;
  options.finished = [&result](std::size_t, WalkResult&& finished) { result = std::move(finished); };
  model.walk({walk}, run.parameters().walk, options);
  for (const WalkRecord& record : result.records) {
    points.push_back({&record.image, &target, pair.source_class, &source, 0});
  }
  return path_widths(model, points, WidthOptions::of(run.parameters().walk));
}

}  // namespace

TEST_CASE("the widths of an evaluation are those of its walks, at the records of the detailed pairs") {
  const Workplace place;
  EvaluationOptions of_run = with_widths(place, "run.db");
  of_run.parameters.walk.iterations = 1;
  const EvaluationSummary summary = evaluate(of_run);
  CHECK(summary.pairs_done == 6);
  CHECK(summary.device_busy > 0.5);
  const RunDatabase run = RunDatabase::open(place.file("run.db"));
  CHECK(run.parameters().width);
  CHECK(run.settings().at("schema_version") == "2");
  Model model = Model::open("demo-resnet", of_run.network);
  const std::vector<EvaluatedPair> pairs = run.pairs(0);
  REQUIRE(pairs.size() == 6);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CAPTURE(i);
    const std::vector<EvaluatedRecord>& records = pairs[i].records;
    REQUIRE(records.size() == 2);
    if (i >= 2) {
      CHECK((records[0].width.empty() && records[1].width.empty()));
      continue;
    }
    const std::vector<PathWidth> wanted = widths_of_walk(model, run, pairs[i]);
    for (std::size_t k = 0; k < records.size(); ++k) {
      REQUIRE(records[k].width.size() == 5);
      CHECK(records[k].width[0].q05 == records[k].probability);
      CHECK(records[k].width[4].q05 < records[k].width[4].q95);
      CHECK(same_width(records[k].width, wanted.at(k).radii));
    }
  }
}

TEST_CASE("where the confidence is below delta there is no width") {
  const Workplace place;
  EvaluationOptions options = with_widths(place, "run.db");
  options.parameters.walk.delta = 1;
  evaluate(options);
  for (const EvaluatedPair& pair : RunDatabase::open(options.database).pairs(0)) {
    for (const EvaluatedRecord& record : pair.records) CHECK((record.width.empty() || record.probability == 1));
  }
}

TEST_CASE("stopped, in shards, at another batch: the widths are the same, value for value") {
  const Workplace place;
  evaluate(with_widths(place, "whole.db"));
  const std::string whole = content(place.file("whole.db"));
  // Among those of the first pair and of the second; the pairs without widths are stored before them.
  for (const auto& [share, pairs_kept] : {std::pair{0.0, 4}, std::pair{0.6, 5}}) {
    EvaluationOptions options = with_widths(place, "stopped-" + std::to_string(pairs_kept) + ".db");
    bool stop = false;
    options.progress = [&stop, least = share](const EvaluationProgress& progress) {
      stop = progress.widths_done && *progress.widths_done > least;
    };
    options.cancelled = [&stop] { return stop; };
    CHECK(evaluate(options).stopped);
    options.progress = {};
    options.cancelled = {};
    const EvaluationSummary summary = evaluate(options);
    CHECK(summary.pairs_before == pairs_kept);
    CHECK(summary.pairs_done == 6);
    CHECK(content(options.database) == whole);
  }
  std::vector<std::filesystem::path> parts;
  for (std::int64_t number = 1; number <= 2; ++number) {
    EvaluationOptions options = with_widths(place, "part" + std::to_string(number) + ".db");
    options.shard = {number, 2};
    evaluate(options);
    parts.push_back(options.database);
  }
  merge_evaluations(parts, place.file("merged.db"));
  CHECK(content(place.file("merged.db")) == whole);
  EvaluationOptions other = with_widths(place, "other.db");
  other.network.batch = 1;
  evaluate(other);
  const std::vector<EvaluatedPair> pairs = RunDatabase::open(place.file("whole.db")).pairs(0);
  const std::vector<EvaluatedPair> one_by_one = RunDatabase::open(other.database).pairs(0);
  for (std::size_t i = 0; i < 2; ++i) CHECK(same_width(pairs[i].records[0].width, one_by_one[i].records[0].width));
}

TEST_CASE("widths are a setting of the run, and without them it is what it was before there were any") {
  const Workplace place;
  EvaluationOptions without = with_widths(place, "without.db");
  without.parameters.width = false;
  evaluate(without);
  CHECK_FALSE(RunDatabase::open(without.database).settings().contains("width"));
  CHECK(RunDatabase::open(without.database).settings().at("schema_version") == "1");
  run_sql(without.database, "CREATE TABLE widths(x)");  // fails where there is one already
  run_sql(without.database, "DROP TABLE widths");
  const std::string before = content(without.database);
  EvaluationOptions with = with_widths(place, "without.db");
  CHECK(refusal([&] { evaluate(with); }, "--width 1: ") == ErrorKind::usage);
  CHECK(refusal([&] { evaluate(with); }, "begun with 0") == ErrorKind::usage);
  CHECK(evaluate(without).pairs_before == 6);
  CHECK(content(without.database) == before);

  EvaluationOptions first = with_widths(place, "first.db"), second = with_widths(place, "second.db");
  first.shard = {1, 2};
  second.shard = {2, 2};
  second.parameters.width = false;
  evaluate(first);
  evaluate(second);
  CHECK(refusal(
            [&] {
              merge_evaluations({first.database, second.database}, place.file("merged.db"));
            },
            "--width 0: ") == ErrorKind::usage);
  first.parameters.width = false;
  CHECK(refusal([&] { evaluate(first); }, "begun with 1") == ErrorKind::usage);
  first.parameters.width = true;
  first.parameters.detailed_pairs = 0;
  CHECK(refusal([&] { evaluate(first); }, "--detailed-pairs 0: must be 1 or more") == ErrorKind::usage);
}

TEST_CASE("progress knows the widths that are to come, of all networks") {
  const Workplace place;
  EvaluationOptions options = with_widths(place, "run.db");
  options.models = {"demo-resnet", "demo-vit"};
  std::vector<double> left;
  double of_first = 2;
  bool stop = false;
  options.progress = [&](const EvaluationProgress& progress) {
    if (progress.images > 0) return;
    left.push_back(progress.widths_left);
    CHECK(progress.passes_of_width == 1 + 4 * 256);
    if (progress.widths_done && progress.model == "demo-resnet") {
      CHECK(progress.widths_left == doctest::Approx(2 + of_first * (1 - *progress.widths_done)));
    }
    stop = progress.widths_left < 2.5;
  };
  options.cancelled = [&stop] { return stop; };
  CHECK(evaluate(options).stopped);
  CHECK(left.front() == doctest::Approx(4).epsilon(0.1));
  CHECK(std::is_sorted(left.rbegin(), left.rend()));
  left.clear();
  of_first = 1;
  options.cancelled = {};
  evaluate(options);
  CHECK(left.front() == doctest::Approx(3).epsilon(0.1));  // the pair in work is begun anew
  CHECK(std::is_sorted(left.rbegin(), left.rend()));
  CHECK(left.back() == 0);
  EvaluationOptions part = with_widths(place, "part.db");  // one source's of them
  part.shard = {2, 2};
  part.progress = [](const EvaluationProgress& progress) { CHECK(progress.widths_left <= 1); };
  evaluate(part);
}

TEST_CASE("an estimate counts the widths") {
  const Workplace place;
  EvaluationOptions options = with_widths(place, "run.db");
  const EvaluationEstimate with = estimate_evaluation(options);
  options.parameters.width = false;
  const EvaluationEstimate without = estimate_evaluation(options);
  CHECK(with.seconds > without.seconds);
  CHECK(with.disk_bytes > without.disk_bytes);
  CHECK(with.networks.at(0).device_bytes > without.networks.at(0).device_bytes);
}

TEST_CASE("damaged widths are refused, not followed") {
  const Workplace place;
  EvaluationOptions options = with_widths(place, "run.db");
  options.parameters.detailed_pairs = 1;
  evaluate(options);
  for (const char* const sql :
       {"UPDATE widths SET source = 99999", "UPDATE widths SET round = -1", "UPDATE widths SET iteration = 7",
        "UPDATE widths SET radius = 'far' WHERE radius = 2", "UPDATE widths SET radius = 9e999 WHERE radius = 2",
        "UPDATE widths SET radius = radius - 1", "DELETE FROM widths WHERE radius = 0",
        "UPDATE widths SET q05 = -0.5 WHERE radius = 1", "UPDATE widths SET q95 = 1.5 WHERE radius = 1",
        "DELETE FROM records", "DELETE FROM pairs"}) {
    CAPTURE(sql);
    std::filesystem::copy_file(options.database, place.file("damaged.db"),
                               std::filesystem::copy_options::overwrite_existing);
    run_sql(place.file("damaged.db"), sql);
    const RunDatabase database = RunDatabase::open(place.file("damaged.db"));
    CHECK(refusal([&] { database.pairs(0); }, "damaged.db: damaged: ") == ErrorKind::input);
  }
  for (const char* const sql :
       {"DROP TABLE widths", "PRAGMA user_version = 1", "DELETE FROM settings WHERE name = 'width'"}) {
    CAPTURE(sql);
    std::filesystem::copy_file(options.database, place.file("damaged.db"),
                               std::filesystem::copy_options::overwrite_existing);
    run_sql(place.file("damaged.db"), sql);
    CHECK(refusal([&] { RunDatabase::open(place.file("damaged.db")).pairs(0); }, "do not agree") == ErrorKind::input);
    options.database = place.file("damaged.db");
    CHECK(refusal([&] { evaluate(options); }, "do not agree") == ErrorKind::input);
    CHECK(refusal([&] { merge_evaluations({options.database}, place.file("merged.db")); }, "do not agree") ==
          ErrorKind::input);
    options.database = place.file("run.db");
  }
  std::filesystem::copy_file(options.database, place.file("damaged.db"),
                             std::filesystem::copy_options::overwrite_existing);
  run_sql(place.file("damaged.db"), "UPDATE settings SET value = '0' WHERE name = 'width'");
  CHECK(refusal([&] { RunDatabase::open(place.file("damaged.db")).parameters(); }, "its setting width") ==
        ErrorKind::input);
  run_sql(options.database, "UPDATE widths SET q05 = NULL");  // no number: what the mode `reference` may find
  CHECK(std::isnan(RunDatabase::open(options.database).pairs(0).at(0).records.at(0).width.at(1).q05));
}
