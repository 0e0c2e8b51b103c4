// Shards joined: they are the unsharded run, may be unfinished, may have had their weights in other places, and are
// refused by column, values and files where they differ.
#include <doctest/doctest.h>

#include <filesystem>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "tests/evaluation/run_sql.h"
#include "tests/evaluation/workplace.h"

using namespace blindspot;
using tests::content;
using tests::refusal;
using tests::run_sql;
using tests::Workplace;
namespace fs = std::filesystem;

TEST_CASE("shards joined are the unsharded run") {
  const Workplace place;
  evaluate(place.options("whole.db"));
  std::vector<fs::path> parts;
  for (std::int64_t number = 1; number <= 3; ++number) {
    EvaluationOptions options = place.options("part" + std::to_string(number) + ".db");
    options.shard = {number, 3};
    evaluate(options);
    parts.insert(parts.begin(), options.database);
  }
  merge_evaluations(parts, place.file("merged.db"));
  CHECK(content(place.file("merged.db")) == content(place.file("whole.db")));
  CHECK(content(parts[0]) != content(place.file("whole.db")));
  const auto merge_of = [&](const std::vector<fs::path>& some) {
    return [&place, some] { merge_evaluations(some, place.file("refused.db")); };
  };
  CHECK(refusal(merge_of({parts[0], parts[1]}), "part 1/3 is missing") == ErrorKind::usage);
  CHECK(refusal(merge_of({parts[2], parts[2], parts[1]}), "part 1/3 is there more than once") == ErrorKind::usage);
  CHECK(refusal([&] { merge_evaluations(parts, place.file("merged.db")); }, "exists already") == ErrorKind::usage);
  EvaluationOptions other = place.options("other.db");
  other.shard = {1, 3};
  other.parameters.walk.delta = 0.1F;
  evaluate(other);
  CHECK(refusal(merge_of({other.database, parts[0], parts[1]}), "delta") == ErrorKind::usage);
  // Nor anything whose name begins so.
  for (const fs::directory_entry& entry : fs::directory_iterator(place.file("refused.db").parent_path())) {
    CHECK_FALSE(entry.path().filename().string().starts_with("refused.db"));
  }
}

TEST_CASE("an unfinished part can be joined, and the whole gone on with") {
  const Workplace place;
  evaluate(place.options("whole.db"));
  EvaluationOptions first = place.options("part1.db"), second = place.options("part2.db");
  first.shard = {1, 2};
  second.shard = {2, 2};
  first.network.batch = second.network.batch = 0;
  evaluate(first);
  bool stop = false;
  second.progress = [&stop](const EvaluationProgress& progress) { stop = progress.iterations_done > 16; };
  second.cancelled = [&stop] { return stop; };
  CHECK(evaluate(second).stopped);
  merge_evaluations({first.database, second.database}, place.file("merged.db"));
  CHECK(content(place.file("merged.db")) != content(place.file("whole.db")));
  const EvaluationSummary summary = evaluate(place.options("merged.db"));
  CHECK(summary.pairs_before < 18);
  CHECK(content(place.file("merged.db")) == content(place.file("whole.db")));
}

TEST_CASE("a part that has not come to the second network can be joined") {
  const Workplace place;
  const auto options = [&place](const std::string& name, Shard shard, std::vector<std::string> models) {
    EvaluationOptions made = place.options(name);
    made.models = std::move(models);
    made.shard = shard;
    return made;
  };
  const std::vector<std::string> both{"demo-resnet", "demo-vit"};
  evaluate(options("whole.db", {}, both));
  evaluate(options("part1.db", {1, 2}, {"demo-resnet"}));
  evaluate(options("part2.db", {2, 2}, both));
  merge_evaluations({place.file("part1.db"), place.file("part2.db")}, place.file("merged.db"));
  evaluate(options("merged.db", {}, both));
  CHECK(content(place.file("merged.db")) == content(place.file("whole.db")));
  evaluate(options("other.db", {1, 2}, {"demo-vit"}));
  CHECK(refusal(
            [&place] {
              merge_evaluations({place.file("other.db"), place.file("part2.db")}, place.file("refused.db"));
            },
            "its models differ") == ErrorKind::usage);
}

TEST_CASE("parts differ in nothing that decides a number, but weights may lie in another place") {
  const Workplace place;
  evaluate(place.options("whole.db"));
  for (std::int64_t number = 1; number <= 2; ++number) {
    EvaluationOptions options = place.options("part" + std::to_string(number) + ".db");
    options.shard = {number, 2};
    evaluate(options);
  }
  const auto merge_with = [&place](const std::string& sql) {
    fs::copy_file(place.file("part2.db"), place.file("other.db"), fs::copy_options::overwrite_existing);
    run_sql(place.file("other.db"), sql);
    fs::remove(place.file("merged.db"));
    merge_evaluations({place.file("part1.db"), place.file("other.db")}, place.file("merged.db"));
  };
  for (const char* const sql :
       {"UPDATE models SET name = 'elsewhere/net.safetensors'", "UPDATE models SET sha256 = 'another file'",
        "UPDATE models SET preprocessing_source = 'options'", "UPDATE models SET classes = '[]'",
        "UPDATE inputs SET dropped = 'the network sees class 3' WHERE dropped IS NOT NULL"}) {
    CAPTURE(sql);
    merge_with(sql);
    CHECK(content(place.file("merged.db")) == content(place.file("whole.db")));
  }
  const auto refused = [&](const std::string& sql, const std::string& what) {
    CAPTURE(sql);
    const auto merge = [&] { merge_with(sql); };
    CHECK(refusal(merge, what + "; shards are made") == ErrorKind::usage);
    CHECK(refusal(merge, place.file("other.db").string() + ": its ") == ErrorKind::usage);
    CHECK(refusal(merge, "differ from those of " + place.file("part1.db").string() + ": ") == ErrorKind::usage);
    CHECK_FALSE(fs::exists(place.file("merged.db")));
  };
  const std::string network = " of network 0 (demo-resnet) is ";
  refused("UPDATE models SET precision = 'bf16'", "precision" + network + "fp32 there and bf16 here");
  refused("UPDATE models SET device_description = 'x' || char(10)", " there and x\\x0a here");
  for (const char* const column :
       {"architecture", "weights_sha256", "preprocessing", "class_count", "device", "batch", "slice", "threads"}) {
    refused("UPDATE models SET " + std::string(column) + " = 77", " there and 77 here");
    CHECK(refusal([&] { merge_with("UPDATE models SET " + std::string(column) + " = 77"); }, column + network) ==
          ErrorKind::usage);
  }
  refused("UPDATE images SET label = 3 WHERE number = 2", "label of image 2 is nothing there and 3 here");
  refused("DELETE FROM images WHERE number = 5", "image 5 is there, but not here");
  refused("INSERT INTO unreadable VALUES ('a.txt', 'no picture')", "a.txt is here, but not there");
  refused("UPDATE inputs SET probability = 2 WHERE image = 1", "here");
  refused("UPDATE inputs SET dropped = 'no' WHERE image = 1", "dropped of image 1 of network 0 is 0 there and 1 here");
}
