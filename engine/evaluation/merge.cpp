// merge_evaluations(): the shards of one run joined into one database, table by table. Sees run_rows.h, run_store.h.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>
#include <system_error>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "blindspot/one_line.h"
#include "engine/evaluation/run_rows.h"
#include "engine/evaluation/run_store.h"
#include "engine/evaluation/schema.h"

namespace blindspot {

namespace evaluation {
namespace {

/// A shard's database, opened.
struct OpenedShard {
  explicit OpenedShard(const std::filesystem::path& path) : connection(path, Access::read) {
    if (!holds_run(connection)) {
      throw Error(ErrorKind::input, fmt::format("{}: holds no run yet", connection.name()));
    }
    settings = read_settings(connection);
    shard = shard_of(settings, connection.name());
    settings.erase("shard");
    settings.erase(schema_setting);  // the merged database has its own
  }

  Connection connection;
  Settings settings;
  Shard shard;
};

using Shards = std::vector<std::unique_ptr<OpenedShard>>;

Shards open_all(const std::vector<std::filesystem::path>& paths) {
  Shards shards;
  for (const std::filesystem::path& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      throw Error(ErrorKind::input, fmt::format("{}: is no file; name the run databases of the shards", path.string()));
    }
    shards.push_back(std::make_unique<OpenedShard>(path));
  }
  std::sort(shards.begin(), shards.end(),
            [](const auto& a, const auto& b) { return a->shard.number < b->shard.number; });
  return shards;
}

/// Every part once, and nothing else.
void check_parts(const Shards& shards) {
  if (shards.empty()) throw Error(ErrorKind::usage, "RUN.db: name the databases of all shards");
  const OpenedShard& first = *shards.front();
  for (const auto& shard : shards) {
    const std::string name = shard->connection.name();
    if (shard->shard.count != first.shard.count) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: is part {}, but {} is part {}; they belong to different runs", name,
                              to_text(shard->shard), first.connection.name(), to_text(first.shard)));
    }
    refuse_differences(first.settings, shard->settings, first.connection.name());
  }
  for (std::int64_t number = 1; number <= first.shard.count; ++number) {
    const auto count = std::count_if(shards.begin(), shards.end(),
                                     [number](const auto& shard) { return shard->shard.number == number; });
    if (count == 1) continue;
    throw Error(ErrorKind::usage, fmt::format("part {}/{} is {}; name each part once", number, first.shard.count,
                                              count == 0 ? "missing" : "there more than once"));
  }
}

/// The shard with the most networks: one that was stopped may lack the last of them.
OpenedShard& fullest(const Shards& shards) {
  std::vector<std::int64_t> networks;
  for (const auto& shard : shards) networks.push_back(shard->connection.integer("SELECT count(*) FROM models"));
  return *shards[static_cast<std::size_t>(std::max_element(networks.begin(), networks.end()) - networks.begin())];
}

/// A table whose rows shards have in common.
struct CommonTable {
  const char* name;
  const char* row;      ///< in SQL, what a message calls a row
  const char* columns;  ///< that must agree
  bool may_lack_rows;   ///< the last ones, in a shard that was stopped
};

/// Not among the columns: PNG files, which follow from the rest; what a network and its file are called and where that
/// told of its preprocessing and its classes, for the same weights may lie elsewhere.
constexpr std::array<CommonTable, 4> common_tables{{
    {"images", "'image ' || number", "name, label, sha256", false},
    {"unreadable", "name", "name, reason", false},
    {"models", "'network ' || number || ' (' || name || ')'",
     "architecture, weights_sha256, preprocessing, class_count, device, precision, batch, slice, threads, "
     "device_description",
     true},
    {"inputs", "'image ' || image || ' of network ' || model",
     "model, image, predicted, probability, dropped IS NOT NULL AS dropped", true},
}};

/// Rows of the first shard against another's, which may have fewer of them.
void check_table(Connection& there, Connection& here, const CommonTable& table) {
  const auto refuse = [&](const std::string& what) {
    throw Error(
        ErrorKind::usage,
        fmt::format("{}: its {} differ from those of {}: {}; shards are made with the same networks, images and "
                    "devices",
                    here.name(), table.name, there.name(), one_line(what)));
  };
  const std::string query =
      fmt::format("SELECT {}, {} FROM {} ORDER BY {}", table.row, table.columns, table.name, key_of(table.name));
  Statement first(there, query), other(here, query);
  while (true) {
    const bool is_there = first.step(), is_here = other.step();
    if (!is_here && (!is_there || table.may_lack_rows)) return;
    if (!is_here) refuse(first.text(0) + " is there, but not here");
    if (!is_there) refuse(other.text(0) + " is here, but not there");
    for (int column = 1; column < first.columns(); ++column) {
      if (first.canonical(column) == other.canonical(column)) continue;
      const auto value = [column](const Statement& row) { return row.is_null(column) ? "nothing" : row.text(column); };
      refuse(fmt::format("{} of {} is {} there and {} here", first.column_name(column), first.text(0), value(first),
                         value(other)));
    }
  }
}

/// Images must be the same in all shards, and networks as far as each shard has come; rows are ordered by network.
void check_common(const Shards& shards) {
  OpenedShard& first = fullest(shards);
  for (const CommonTable& table : common_tables) {
    for (const auto& shard : shards) check_table(first.connection, shard->connection, table);
  }
}

/// All rows of a table from one database into another.
void copy_rows(Connection& from, Connection& to, const std::string& table, const Cancelled& cancelled) {
  Statement rows(from, fmt::format("SELECT * FROM {} ORDER BY {}", table, key_of(table)));
  std::string marks = "?";
  for (int column = 1; column < rows.columns(); ++column) marks += ", ?";
  Statement insert(to, fmt::format("INSERT INTO {} VALUES ({})", table, marks));
  while (rows.step()) {
    stop_if(cancelled);
    for (int column = 0; column < rows.columns(); ++column) insert.bind_column(rows, column);
    insert.run();
  }
}

void write_merged(const Shards& shards, RunStore& merged, const Cancelled& cancelled) {
  Connection& first = fullest(shards).connection;
  Settings settings = shards.front()->settings;
  settings["shard"] = to_text(Shard{});
  merged.begin(settings, read_images(first), read_unreadable(first));
  Connection& to = merged.connection();
  Transaction transaction(to);
  for (const char* table : {"models", "inputs"}) copy_rows(first, to, table, cancelled);
  for (const std::string& table : tables_of_results(to)) {
    for (const auto& shard : shards) copy_rows(shard->connection, to, table, cancelled);
  }
  transaction.commit();
}

/// Refuses a name that has been taken meanwhile, as far as the file system can tell in one step.
void rename_to_new(const std::filesystem::path& from, const std::filesystem::path& to) {
  int reason = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
  if (reason == EINVAL || reason == ENOSYS) reason = std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  if (reason == 0) return;
  const std::string what = reason == EEXIST
                               ? "has appeared meanwhile; name a new file"
                               : fmt::format("cannot be written: {}", reason_of({reason, std::generic_category()}));
  throw Error(ErrorKind::input, fmt::format("{}: {}", to.string(), what));
}

/// Removes the file and what SQLite has put beside it.
void remove_database(const std::filesystem::path& path) {
  std::error_code ignored;
  for (const char* ending : {"", "-wal", "-shm", "-journal"}) {
    std::filesystem::remove(path.string() + ending, ignored);
  }
}

}  // namespace
}  // namespace evaluation

void merge_evaluations(const std::vector<std::filesystem::path>& shards, const std::filesystem::path& merged,
                       const Cancelled& cancelled) {
  using namespace evaluation;
  std::error_code error;
  if (std::filesystem::exists(merged, error)) {
    throw Error(ErrorKind::usage, fmt::format("{}: exists already; name a new file", merged.string()));
  }
  const Shards opened = open_all(shards);
  check_parts(opened);
  check_common(opened);
  // Whole or not there: it gets its name when all is in it. The other name is this run's alone, for another may be at
  // the same.
  std::random_device random;
  const std::filesystem::path partial = fmt::format("{}.partial-{:08x}", merged.string(), random());
  try {
    {
      RunStore store(partial);
      write_merged(opened, store, cancelled);
      // A log that stayed behind would not come along.
      store.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    rename_to_new(partial, merged);
  } catch (...) {
    remove_database(partial);
    throw;
  }
}

}  // namespace blindspot
