// `blindspot table`: the paper's tables 1 and 2 from run databases. Uses the public headers and the shared pieces of
// tools/.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <system_error>

#include "blindspot/evaluation.h"
#include "blindspot/one_line.h"
#include "tools/commands.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/table_formats.h"

namespace blindspot::tools {

namespace {

WalkMode convention_from(const std::string& text) {
  if (text == "default") return WalkMode::standard;
  if (text == "reference") return WalkMode::reference;
  throw Error(ErrorKind::usage, fmt::format("--mode {}: must be default or reference", text));
}

/// Says what a row does not tell: that a run is not at its end.
void say_what_is_missing(const RunDatabase& database) {
  const std::int64_t rounds = database.parameters().rounds;
  const Shard shard = database.shard();
  if (shard != Shard{}) {
    std::cerr << fmt::format("{}: is part {}/{} of its evaluation only\n", database.path().string(), shard.number,
                             shard.count);
  }
  for (const EvaluatedModel& model : database.models()) {
    const std::string name = one_line(model.information.name);
    std::int64_t sources = 0;
    for (const EvaluatedInput& input : database.inputs(model.number)) {
      if (input.dropped_reason.empty() && shard.has(input.image)) ++sources;
    }
    const std::vector<EvaluatedPair> pairs = database.pairs(model.number);
    const auto done = static_cast<std::int64_t>(pairs.size());
    const auto without_lpips = std::count_if(pairs.begin(), pairs.end(), [](const auto& pair) { return !pair.lpips; });
    if (without_lpips > 0) {
      std::cerr << fmt::format("{}: {} of {} of {} without LPIPS, which needs evaluate's --lpips FILE\n",
                               database.path().string(), without_lpips, counted(done, "pair"), name);
    }
    if (done != sources * rounds) {
      std::cerr << fmt::format("{}: {} of {} of {} done\n", database.path().string(), done,
                               counted(sources * rounds, "pair"), name);
    }
    if (rounds < 2) continue;
    // A source's triangles follow its last pair: a run may end between the two.
    const auto with_triangles = static_cast<std::int64_t>(database.sources_with_hulls(model.number).size());
    if (with_triangles == sources) continue;
    std::cerr << fmt::format("{}: the triangles of {} of {} of {} done\n", database.path().string(), with_triangles,
                             counted(sources, "source"), name);
  }
}

/// A database counts once, under whatever names it is given.
void refuse_repetitions(const std::vector<std::string>& databases) {
  for (std::size_t i = 0; i < databases.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      std::error_code ignored;
      const bool same_name = databases[i] == databases[k];
      if (!same_name && !std::filesystem::equivalent(databases[i], databases[k], ignored)) continue;
      throw Error(ErrorKind::usage, fmt::format("RUN.db {}: is named twice{}", databases[i],
                                                same_name ? "" : fmt::format(", first as {}", databases[k])));
    }
  }
}

/// Networks of one name are told apart by the database that they are of. `databases[i]` is that of `rows[i]`.
void tell_apart(std::vector<TableRow>& rows, const std::vector<std::string>& databases) {
  std::map<std::string, std::set<std::string>> holders;
  for (std::size_t i = 0; i < rows.size(); ++i) holders[rows[i].model].insert(databases[i]);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (holders.at(rows[i].model).size() > 1) rows[i].model += fmt::format(" ({})", databases[i]);
  }
}

}  // namespace

int run_table(const Arguments& arguments, const StopSignals& /*stop*/) {
  std::vector<std::string> databases;
  TableFormat format = TableFormat::text;
  WalkMode mode = WalkMode::standard;
  PrintingOptions printing;
  CommandLine line("table",
                   "The paper's tables: distances to the target, and confidences over triangles, a row a network.",
                   "blindspot table run.db --format latex");
  line.arguments("RUN.db", databases, "Run databases");
  line.option("--format", "NAME", "text, markdown, latex, csv or json (text)",
              [&format](const std::string& text) { format = table_format_from(text); });
  line.option("--mode", "NAME", "default: all points of a triangle, or reference: those that the authors count",
              [&mode](const std::string& text) { mode = convention_from(text); });
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  if (printing.json) format = TableFormat::json;
  refuse_repetitions(databases);
  std::vector<TableRow> rows;
  std::vector<std::string> databases_of_rows;
  for (const std::string& path : databases) {
    const RunDatabase database = RunDatabase::open(path);
    if (!printing.quiet) say_what_is_missing(database);
    for (TableRow& row : table_rows(database, mode)) {
      rows.push_back(std::move(row));
      databases_of_rows.push_back(path);
    }
  }
  tell_apart(rows, databases_of_rows);
  print(format_table(rows, format));
  return 0;
}

}  // namespace blindspot::tools
