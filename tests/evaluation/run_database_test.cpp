// The run database: what is refused, that content does not depend on the order of work, that a run goes on where it was
// stopped.
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>

#include "blindspot/demo.h"
#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "engine/evaluation/run_settings.h"
#include "engine/evaluation/run_store.h"
#include "engine/evaluation/store_writer.h"
#include "tests/evaluation/run_sql.h"
#include "tests/evaluation/workplace.h"

using namespace blindspot;
using namespace blindspot::evaluation;
using tests::content;
using tests::refusal;
using tests::run_sql;
using tests::Workplace;
namespace fs = std::filesystem;

TEST_CASE("files that are no run database are refused and stay as they are") {
  const Workplace place;
  std::ofstream(place.file("text.db")) << std::string(5000, 'x');
  run_sql(place.file("other.db"), "CREATE TABLE t(x); PRAGMA user_version = 1");
  run_sql(place.file("theirs.db"), "CREATE TABLE t(x); PRAGMA application_id = 77");
  run_sql(place.file("newer.db"), "PRAGMA application_id = 0x626c7370; PRAGMA user_version = 3; CREATE TABLE t(x)");
  const std::vector<std::pair<std::string, std::string>> refused{{"text.db", "no run database"},
                                                                 {"other.db", "of another program"},
                                                                 {"theirs.db", "of another program"},
                                                                 {"newer.db", "newer blindspot (schema 3"}};
  for (const auto& [file, part] : refused) {
    const std::string& name = file;  // clang 14 captures no binding
    CAPTURE(name);
    const auto size = fs::file_size(place.file(name));
    CHECK(refusal([&] { evaluate(place.options(name)); }, part) == ErrorKind::input);
    CHECK(refusal([&] { RunDatabase::open(place.file(name)); }, part) == ErrorKind::input);
    CHECK(refusal([&] { merge_evaluations({place.file(name)}, place.file("merged.db")); }, part) == ErrorKind::input);
    CHECK(fs::file_size(place.file(name)) == size);
  }
  CHECK(refusal([&] { RunDatabase::open(place.file("nowhere.db")); }, "does not exist") == ErrorKind::input);
  CHECK(refusal([&] { RunDatabase::open(place.file("images")); }, "is a folder") == ErrorKind::input);
  CHECK_FALSE(fs::exists(place.file("merged.db")));
}

TEST_CASE("one writer at a time, and nothing left of one that had nothing to write") {
  const Workplace place;
  {
    const RunStore first(place.file("run.db"));
    CHECK_FALSE(first.begun());
    CHECK(refusal([&] { const RunStore second(place.file("run.db")); }, "another process works on it") ==
          ErrorKind::input);
  }
  CHECK_FALSE(fs::exists(place.file("run.db")));
  CHECK(refusal([&] { const RunStore store(place.file("no/folder.db")); }, "cannot be written") == ErrorKind::input);
}

TEST_CASE("an error of the writer comes out once and ends it") {
  const Workplace place;
  RunStore store(place.file("run.db"));
  StoreWriter writer(store, 2);
  int done = 0;
  writer.add([&done](RunStore&) { ++done; });
  writer.add([](RunStore&) { throw Error(ErrorKind::input, "full"); });
  CHECK_THROWS_AS(writer.finish(), Error);
  CHECK_THROWS_AS(writer.add([&done](RunStore&) { ++done; }), Error);
  CHECK(done == 1);
}

TEST_CASE("an evaluation has all that was asked for") {
  const Workplace place;
  const EvaluationSummary summary = evaluate(place.options("run.db"));
  CHECK(summary.pairs == 18);
  CHECK(summary.pairs_done == 18);
  CHECK_FALSE(summary.stopped);
  const RunDatabase run = RunDatabase::open(place.file("run.db"));
  REQUIRE(run.models().size() == 1);
  CHECK(run.models()[0].information.architecture == "cifar_resnet14");
  CHECK(run.images().size() == 6);
  CHECK(run.settings().at("schema_version") == "1");
  const std::vector<EvaluatedPair> pairs = run.pairs(0);
  REQUIRE(pairs.size() == 18);
  Model model = Model::open("demo-resnet", place.options("run.db").network);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const EvaluatedPair& pair = pairs[i];
    CHECK(pair.source == static_cast<std::int64_t>(i) / 3);
    CHECK(pair.target != pair.source);
    CHECK(pair.records.size() == 3);
    CHECK(pair.records[2].iteration == 2);
    CHECK(pair.records[2].probability == pair.probability);
    CHECK(pair.records[0].has_picture == (i < 4));
    CHECK(run.record_png(0, pair.source, pair.round, 1).empty() == (i >= 4));
    // The recorded distance is that of the float image, its picture is 8 bits: half a level apart at the most.
    const Image final_image = to_image(decode_picture(run.final_png(0, pair.source, pair.round), "final"));
    const Image target = to_image(decode_picture(run.input_png(0, pair.target), "target"));
    double largest = 0;
    for (std::size_t k = 0; k < target.values.size(); ++k) {
      largest = std::max(largest, std::abs(static_cast<double>(final_image.values[k]) - target.values[k]));
    }
    CHECK(std::abs(largest - pair.linf) < 0.51 / 255);
    CHECK(model.probabilities_fp32({&final_image}, {pair.source_class}).at(0) == pair.probability_8bit);
    CHECK(model.probabilities_fp32({&target}, {pair.target_class}).at(0) == pair.target_image_probability);
    CHECK(pair.ssim);
    CHECK_FALSE(pair.lpips);
  }
  const std::vector<EvaluatedHull> hulls = run.hulls(0);
  CHECK(hulls.size() == 6 * 3);
  for (const EvaluatedHull& hull : hulls) {
    CHECK(hull.probabilities.size() == 6);
    // The clean source as a forward pass sees it, and as the walk did.
    CHECK(hull.probabilities[0] ==
          doctest::Approx(pairs[static_cast<std::size_t>(hull.source) * 3].source_probability).epsilon(1e-6));
  }
  const std::vector<TableRow> rows = table_rows(run, WalkMode::standard);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].sources == 6);
  CHECK(rows[0].confidences);
  CHECK_FALSE(run.selected_targets(0).empty());
  CHECK(run.selected_targets(1).size() == 1);
}

TEST_CASE("stopped anywhere and gone on with, the content is that of an undisturbed run") {
  const Workplace place;
  evaluate(place.options("whole.db"));
  const std::string whole = content(place.file("whole.db"));
  for (int questions = 1; questions < 400; questions = questions * 3 / 2 + 1) {
    CAPTURE(questions);
    const std::string name = "stopped-" + std::to_string(questions) + ".db";
    EvaluationOptions options = place.options(name);
    int asked = 0;
    options.cancelled = [&] { return ++asked > questions; };
    options.network.batch = 0;
    try {
      evaluate(options);
    } catch (const Stopped&) {  // while opening, or before all images are known: nothing has begun
    }
    options.cancelled = {};
    const EvaluationSummary summary = evaluate(options);
    CHECK(summary.pairs_done == 18);
    CHECK(content(place.file(name)) == whole);
  }
}

TEST_CASE("stopped while it reads the images again, a run knows what is done of it") {
  const Workplace place;
  EvaluationOptions options = place.options("run.db");
  evaluate(options);
  bool stop = false;
  options.progress = [&stop](const EvaluationProgress& progress) { stop = stop || progress.model.empty(); };
  options.cancelled = [&stop] { return stop; };
  const EvaluationSummary summary = evaluate(options);
  CHECK(summary.stopped);
  CHECK(summary.pairs == 18);
  CHECK(summary.pairs_before == 18);
  CHECK(summary.pairs_done == 18);
}

TEST_CASE("going on with other parameters is refused, both values named") {
  const Workplace place;
  evaluate(place.options("run.db"));
  const std::string before = content(place.file("run.db"));
  const auto with = [&place](const std::function<void(EvaluationOptions&)>& change) {
    return [&place, change] {
      EvaluationOptions options = place.options("run.db");
      change(options);
      evaluate(options);
    };
  };
  CHECK(refusal(with([](auto& o) { o.parameters.walk.delta = 0.1F; }), "--delta 0.1") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.parameters.walk.delta = 0.1F; }), "begun with 0.2") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.parameters.rounds = 5; }), "--rounds 5") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.parameters.walk.seed = 5; }), "--seed 5") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.shard = {1, 2}; }), "--shard 1/2") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.network.batch = 3; }), "--batch is 3") == ErrorKind::usage);
  CHECK(refusal(with([](auto& o) { o.network.threads = 1 + RunDatabase::open(o.database).models()[0].threads; }),
                "--threads is") == ErrorKind::usage);
  write_png(place.file("images/6.png"), draw_picture(7, 7, 3));
  CHECK(refusal(with([](auto&) {}), "begun with") == ErrorKind::input);
  fs::remove(place.file("images/6.png"));
  write_png(place.file("images/2.png"), draw_picture(7, 7, 3));
  CHECK(refusal(with([](auto&) {}), "has SHA-256") == ErrorKind::input);
  CHECK(content(place.file("run.db")) == before);
  // A database from before the settings had its version is the same run.
  run_sql(place.file("run.db"), "DELETE FROM settings WHERE name = 'schema_version'");
  CHECK(content(place.file("run.db")) == before);
}

TEST_CASE("a damaged database is refused, not followed") {
  const Workplace place;
  evaluate(place.options("run.db"));
  const auto damaged = [&place](const std::string& sql) {
    fs::copy_file(place.file("run.db"), place.file("damaged.db"), fs::copy_options::overwrite_existing);
    run_sql(place.file("damaged.db"), sql);
    return RunDatabase::open(place.file("damaged.db"));
  };
  const auto refused = [&](const std::string& sql, const std::function<void(const RunDatabase&)>& read) {
    CAPTURE(sql);
    const RunDatabase database = damaged(sql);
    CHECK(refusal([&] { read(database); }, "damaged.db: damaged: ") == ErrorKind::input);
  };
  const auto targets = [](const RunDatabase& database) { database.selected_targets(0); };
  const auto pairs = [](const RunDatabase& database) { database.pairs(0); };
  const auto resume = [&place](const RunDatabase&) { evaluate(place.options("damaged.db")); };
  refused("UPDATE inputs SET image = 99999999 WHERE image = 2", targets);
  refused("UPDATE inputs SET image = -1 WHERE image = 2", targets);
  refused("UPDATE images SET number = 7 WHERE number = 2", targets);
  refused("UPDATE models SET number = 1", targets);
  refused("UPDATE pairs SET target = 99999 WHERE source = 2", pairs);
  refused("UPDATE pairs SET source = -3 WHERE source = 2", pairs);
  refused("UPDATE hulls SET source = 9 WHERE source = 2; UPDATE inputs SET image = 9 WHERE image = 2",
          [](const RunDatabase& database) { database.hulls(0); });
  refused("DELETE FROM inputs WHERE image = 2", resume);
  // Found by the fuzz target of rows: what a file says wrongly is no usage error, and no number is taken for a size.
  refused("INSERT OR REPLACE INTO settings VALUES ('shard', '1')",
          [](const RunDatabase& database) { database.shard(); });
  refused("INSERT OR REPLACE INTO settings VALUES ('shard', char(10))", [](const RunDatabase& database) {
    try {
      database.shard();
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
      throw;
    }
  });
  refused("UPDATE models SET precision = 'fp33'", [](const RunDatabase& database) { database.models(); });
  for (const char* const divisions : {"2000000000", "-5", "0"}) {
    refused(std::string("UPDATE settings SET value = '") + divisions + "' WHERE name = 'hull_divisions'",
            [](const RunDatabase& database) { table_rows(database, WalkMode::standard); });
  }
  refused("UPDATE inputs SET predicted = 10 WHERE image = 2", resume);
  const std::array<std::array<const char*, 2>, 3> versions{{
      {"UPDATE settings SET value = '2' WHERE name = 'schema_version'", "1, and its setting schema_version, 2, do"},
      {"UPDATE settings SET value = 'one' WHERE name = 'schema_version'", "1, and its setting schema_version, one, do"},
      {"PRAGMA user_version = 2; INSERT INTO settings VALUES ('width', '1'); CREATE TABLE widths (model)",
       "2, and its setting schema_version, 1, do not agree"},
  }};
  for (const auto& [change, said] : versions) {
    CHECK(refusal([&, sql = change] { damaged(sql); }, said) == ErrorKind::input);
  }
  for (const char* const program :
       {"ALTER TABLE hulls RENAME TO was; CREATE VIEW hulls AS WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT "
        "n FROM endless) SELECT n AS model FROM endless",
        "CREATE TRIGGER again AFTER INSERT ON pairs BEGIN DELETE FROM pairs; END"}) {
    CHECK(refusal([&] { damaged(program); }, "damaged.db: damaged: it holds views or triggers") == ErrorKind::input);
  }
}

TEST_CASE("a second network joins a run") {
  const Workplace place;
  evaluate(place.options("run.db"));
  EvaluationOptions both = place.options("run.db");
  both.models = {"demo-resnet", "demo-vit"};
  const EvaluationSummary summary = evaluate(both);
  CHECK(summary.pairs == 36);
  CHECK(summary.pairs_before == 18);
  CHECK(summary.pairs_done == 36);
  EvaluationOptions together = place.options("together.db");
  together.models = both.models;
  evaluate(together);
  CHECK(content(place.file("run.db")) == content(place.file("together.db")));
}

TEST_CASE("a database among the images is none of them") {
  const Workplace place;
  evaluate(place.options("images/run.db"));
  const EvaluationSummary again = evaluate(place.options("images/run.db"));
  CHECK(again.pairs_before == 18);
  CHECK(again.unreadable.empty());
}

TEST_CASE("a shard is i/n") {
  CHECK(shard_from("2/4") == Shard{2, 4});
  for (const char* text : {"", "1", "0/4", "5/4", "1/0", "-1/2", "1/2/3", "a/b", "1 /2", "1/"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(shard_from(text), Error);
  }
}

TEST_CASE("settings read back as they were") {
  EvaluationParameters parameters;
  parameters.walk.step_size = 0.1F;
  parameters.walk.seed = 0xFFFFFFFFFFFFFFFF;
  parameters.walk.mode = WalkMode::reference;
  parameters.walk.adversarial = false;
  parameters.limit = 12;
  const EvaluationParameters read = parameters_from(settings_of(parameters, "x"), "run.db");
  CHECK(settings_of(read, "x") == settings_of(parameters, "x"));
  CHECK(read.walk.step_size == 0.1F);
  CHECK(read.walk.seed == 0xFFFFFFFFFFFFFFFF);
  Settings damaged = settings_of(parameters, "x");
  damaged["rounds"] = "5x";
  CHECK_THROWS_AS(parameters_from(damaged, "run.db"), Error);
}
