// Fuzzes the rows of a run database: a database of the right tables, whose values (of any type, as SQLite allows) are
// cut from the input. It is opened once and each input replaces its rows. SQLite's own files in memory stand behind
// both connections, since a file on a disk costs most of the time; an empty file of its name is there for those who
// look. Some inputs' last byte spoils what the database says of itself, and it is opened anew. Uses the public
// interface, engine/evaluation and SQLite.
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "blindspot/evaluation.h"
#include "engine/evaluation/run_rows.h"
#include "engine/evaluation/schema.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace blindspot;
using evaluation::Connection;
using evaluation::Statement;
using evaluation::Transaction;

/// Values cut from the front of the input; zeros when it is used up.
class Cutter {
 public:
  explicit Cutter(fuzz::Bytes left) : left_(left) {}

  bool is_empty() const { return left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t first = left_[0];
    left_ = left_.subspan(1);
    return first;
  }
  std::string text(std::size_t size) {
    const fuzz::Bytes bytes = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(bytes.size());
    return fuzz::as_text(bytes);
  }
  template <typename Number>
  Number number() {
    Number value{};
    const std::string bytes = text(sizeof(value));
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

 private:
  fuzz::Bytes left_;
};

// What settings must be there, and values that parameters may have: what no input would be likely to guess.
constexpr const char* settings_names[] = {
    "step_size", "iterations", "delta", "adversarial", "adversarial_step", "seed",           "record_every",
    "mode",      "rounds",     "limit", "shard",       "detailed_pairs",   "hull_divisions", "width"};
constexpr const char* texts[] = {"",
                                 "1",
                                 "10",
                                 "0.5",
                                 "1/2",
                                 "[]",
                                 "[\"a\",\"b\"]",
                                 "{}",
                                 "paper",
                                 "fp32",
                                 "bf16",
                                 "reference",
                                 "null",
                                 "2",
                                 "{\"input_size\": 8, \"crop\": 8}"};

void bind_value(Statement& insert, Cutter& cut) {
  switch (cut.byte() % 8) {
    case 0:
      insert.bind_null();
      break;
    case 1:
    case 2:
      insert.bind(static_cast<std::int64_t>(cut.byte() % 4));
      break;
    case 3:
      insert.bind(cut.number<std::int64_t>());
      break;
    case 4:
      insert.bind(cut.number<double>());
      break;
    case 5:
      insert.bind(std::string(texts[cut.byte() % std::size(texts)]));
      break;
    case 6:
      insert.bind(cut.text(cut.byte()));
      break;
    default: {
      const std::string blob = cut.text(cut.byte() * std::size_t{2});
      insert.bind(std::as_bytes(std::span(blob)));
    }
  }
}

std::string insertion_of(const std::string& table, std::int64_t columns) {
  std::string marks = "?";
  for (std::int64_t column = 1; column < columns; ++column) marks += ", ?";
  return "INSERT OR IGNORE INTO " + table + " VALUES (" + marks + ")";
}

/// From now on every database of this process lies in memory, where connections share it by its name. There is one
/// thread and nobody asks how much memory is in use: the locks for both would cost more than the rows.
bool keep_files_in_memory() {
  return sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
         sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK &&
         sqlite3_vfs_register(sqlite3_vfs_find("memdb"), 1) == SQLITE_OK;
}

/// A table, and the statements that replace its rows.
struct Table {
  Table(Connection& connection, const std::string& name)
      : columns(connection.integer("SELECT count(*) FROM pragma_table_info('" + name + "')")),
        deletion(connection, "DELETE FROM " + name),
        insertion(connection, insertion_of(name, columns)) {}

  std::int64_t columns;
  Statement deletion, insertion;
};

constexpr const char* spoilings[] = {"PRAGMA application_id = 7", "PRAGMA user_version = 0", "PRAGMA user_version = 1",
                                     "PRAGMA user_version = 1000000",
                                     "CREATE VIEW endless AS SELECT 1 FROM images, images, images"};
constexpr std::size_t first_spoiling = 256 - std::size(spoilings);  // among the values of an input's last byte

/// The one database of this process.
struct Database {
  explicit Database(std::string file) : path(std::move(file)), connection(path, evaluation::Access::write) {
    std::ofstream{path};
    connection.execute("PRAGMA journal_mode = MEMORY");
    connection.execute("PRAGMA synchronous = OFF");
    mend();
    connection.execute(evaluation::schema);
    connection.execute(evaluation::schema_of_widths);
    connection.execute("INSERT INTO settings VALUES ('width', '1')");  // or it would not be opened
    for (const std::string& table : evaluation::table_names(connection)) {
      tables.push_back(std::make_unique<Table>(connection, table));
    }
    settings = std::make_unique<Statement>(connection, "INSERT OR REPLACE INTO settings VALUES (?, ?)");
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { std::filesystem::remove(path); }

  /// Rows for as long as the input lasts, a hundred at most.
  void fill(Cutter cut) {
    Transaction transaction(connection);
    for (const auto& table : tables) table->deletion.run();
    for (const char* const name : settings_names) {
      const std::uint8_t choice = cut.byte();
      settings->bind(std::string(name))
          .bind(choice < 200 ? std::string(choice % 2 == 0 ? "1" : "10") : cut.text(choice % 16));
      settings->run();
    }
    for (int rows = 0; rows < 100 && !cut.is_empty(); ++rows) {
      Table& table = *tables[cut.byte() % tables.size()];
      for (std::int64_t column = 0; column < table.columns; ++column) bind_value(table.insertion, cut);
      try {
        table.insertion.run();
      } catch (const Error&) {
        // NOT NULL, or a text where the key is a number: a row that no database can hold.
        table.insertion.reset();
      }
    }
    transaction.commit();
  }

  /// By one of `spoilings`: whoever opens it then refuses it.
  void spoil(const char* how) { connection.execute(how); }
  /// Says again what it is, as a new one says it.
  void mend() {
    connection.execute("PRAGMA application_id = " + std::to_string(evaluation::application_id));
    connection.execute("PRAGMA user_version = " + std::to_string(evaluation::schema_version));
    connection.execute("DROP VIEW IF EXISTS endless");
  }

  std::string path;
  Connection connection;
  std::vector<std::unique_ptr<Table>> tables;
  std::unique_ptr<Statement> settings;
};

void read_all(const RunDatabase& database, std::size_t size) {
  fuzz::run_bounded(size, [&] { database.settings(); });
  fuzz::run_bounded(size, [&] { database.parameters(); });
  fuzz::run_bounded(size, [&] { database.shard(); });
  fuzz::run_bounded(size, [&] { database.images(); });
  fuzz::run_bounded(size, [&] { database.unreadable(); });
  fuzz::run_bounded(size, [&] { database.selected_targets(3); });
  fuzz::run_bounded(size, [&] { database.content_sha256(); });
  fuzz::run_bounded(size, [&] { database.sources_with_hulls(1); });
  fuzz::run_bounded(size, [&] { database.models(); });
  for (const std::int64_t model : {0, 1}) {
    fuzz::run_bounded(size, [&] { database.inputs(model); });
    fuzz::run_bounded(size, [&] { database.hulls(model); });
    fuzz::run_bounded(size, [&] {
      for (const EvaluatedPair& pair : database.pairs(model)) {
        database.final_png(model, pair.source, pair.round);
        database.input_png(model, pair.target);
        if (!pair.records.empty()) database.record_png(model, pair.source, pair.round, pair.records[0].iteration);
      }
    });
  }
  for (const WalkMode mode : {WalkMode::standard, WalkMode::reference}) {
    fuzz::run_bounded(size, [&] { table_rows(database, mode); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool in_memory = keep_files_in_memory();
  if (!in_memory) std::abort();
  static Database database("/dev/shm/blindspot-fuzz-" + std::to_string(::getpid()) + ".db");
  static const RunDatabase opened = RunDatabase::open(database.path);
  database.fill(Cutter({data, size}));
  const bool is_spoilt = size > 0 && data[size - 1] >= first_spoiling;
  if (is_spoilt) {
    database.spoil(spoilings[data[size - 1] - first_spoiling]);
    if (fuzz::run_bounded(size, [&] { RunDatabase::open(database.path); })) std::abort();
  }
  read_all(opened, size);
  if (is_spoilt) database.mend();
  return 0;
}
